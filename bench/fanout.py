"""What one event costs the event loop: kubelets that watch their pods, many watchers of an old version."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence

from bench.figures import Figure
from bench.objects import NAMESPACE, deployment, pod
from wherry.api.catalog import BUILTIN
from wherry.api.core.pods import PODS
from wherry.apiserver.cached import CachedEvent
from wherry.apiserver.cacher import Cacher
from wherry.apiserver.encoding import encode_stored
from wherry.apiserver.options import ListOptions
from wherry.apiserver.presentation import FormLens
from wherry.apiserver.registry import Registry
from wherry.apiserver.selection import select
from wherry.apiserver.tables import AS_IS, EventForm
from wherry.kit.clock import SystemClock
from wherry.store.memory import MemoryStore

KUBELETS = (0, 1000, 5000)
OLD_WATCHERS = 200
EVENTS = 300


def measure_fanout() -> list[Figure]:
    """The median time of a pod event, from the store's write to the last kubelet's sink."""
    figures = []
    for kubelets in KUBELETS:
        cost_s = asyncio.run(_event_s(kubelets))
        name = f"pod event with {kubelets:,} kubelets watching by spec.nodeName"
        figures.append(Figure(name, cost_s * 1000, "ms of the loop", "≤ 0.1 ms" if kubelets else ""))
    cost_s = asyncio.run(_old_version_s())
    name = f"Deployment event with {OLD_WATCHERS} watchers of extensions/v1beta1"
    return [*figures, Figure(name, cost_s * 1000, "ms of the loop")]


async def _old_version_s() -> float:
    """The same of an event that all watchers are shown in a version in which it is not stored."""
    store, clock = MemoryStore(SystemClock()), SystemClock()
    registry = Registry(store, clock)
    registry.add(BUILTIN)
    old = registry.find("extensions", "v1beta1", "deployments")  # stored as apps/v1
    if old is None:
        raise RuntimeError("the old version is not served")
    await old.source.open()
    heard = 0

    def watch() -> None:
        lens = FormLens(clock.now, old, EventForm(old.resource, AS_IS, {}))

        def hear(events: Sequence[CachedEvent]) -> None:
            nonlocal heard
            heard += lens.events(events).count(b"\n")

        old.cacher.watch("", 0, select(old.resource, ListOptions()), hear)

    for _ in range(OLD_WATCHERS):
        watch()
    value = encode_stored(deployment(1))
    entry = await store.create(old.resource.key(NAMESPACE, "web"), value)
    times = []
    for _ in range(EVENTS):
        begun = time.perf_counter()
        entry = await store.update(entry.key, value, expected=entry.revision)
        times.append(time.perf_counter() - begun)
        await asyncio.sleep(0)  # the next is of another pass of the loop
    if heard != OLD_WATCHERS * (EVENTS + 1):
        raise RuntimeError(f"{heard} lines were heard of {OLD_WATCHERS * (EVENTS + 1)}")
    await registry.close()
    await store.close()
    return statistics.median(times)


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
        await asyncio.sleep(0)
    if len(heard) != (EVENTS + 1 if kubelets else 0):
        raise RuntimeError(f"{len(heard)} events were heard of {EVENTS + 1}")
    await cacher.close()
    await store.close()
    return statistics.median(times)
