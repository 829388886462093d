"""What one pod event costs the event loop while kubelets watch, each the pods of its own node."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence

from bench.figures import Figure
from bench.objects import pod
from wherry.api.core.pods import PODS
from wherry.apiserver.cached import CachedEvent
from wherry.apiserver.cacher import Cacher
from wherry.apiserver.encoding import encode_stored
from wherry.apiserver.options import ListOptions
from wherry.apiserver.selection import select
from wherry.kit.clock import SystemClock
from wherry.store.memory import MemoryStore

KUBELETS = (0, 1000, 5000)
EVENTS = 300


def measure_fanout() -> list[Figure]:
    """The median time of a pod event, from the store's write to the last kubelet's sink."""
    figures = []
    for kubelets in KUBELETS:
        cost_s = asyncio.run(_event_s(kubelets))
        name = f"pod event with {kubelets:,} kubelets watching by spec.nodeName"
        figures.append(Figure(name, cost_s * 1000, "ms of the loop", "≤ 0.1 ms" if kubelets else ""))
    return figures


async def _event_s(kubelets: int) -> float:
    store = MemoryStore(SystemClock())
    cacher = Cacher(PODS, store)
    await cacher.start()
    heard: list[int] = []

    def hear(events: Sequence[CachedEvent]) -> None:
        heard.extend(len(event.frame) for event in events)

    for number in range(kubelets):
        options = ListOptions(field_selector=f"spec.nodeName=node-{number}")
        cacher.watch("", 0, select(PODS, options), hear)
    obj = pod(1)
    obj["spec"]["nodeName"] = "node-1"
    value = encode_stored(obj)
    entry = await store.create(PODS.key("default", "web"), value)
    times = []
    for _ in range(EVENTS):
        begun = time.perf_counter()
        entry = await store.update(entry.key, value, expected=entry.revision)
        times.append(time.perf_counter() - begun)
    if len(heard) != (EVENTS + 1 if kubelets else 0):
        raise RuntimeError(f"{len(heard)} events were heard of {EVENTS + 1}")
    await cacher.close()
    await store.close()
    return statistics.median(times)
