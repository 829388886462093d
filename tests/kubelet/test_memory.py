"""Pods come and go, and what was kept of them goes with them."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import Node, node
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.pods import PODS
from wherry.kubelet.workers.worker import PodWorker

OURS = (
    "wherry.kubelet.",
    "wherry.kit.repeat",
    "wherry.kit.tasks",
    "wherry.client.cache",
    "wherry.client.informer",
)
FAKES = "wherry.kubelet.runtimes."
"""What the fake runtime was asked for is kept by it for tests to look at."""


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage collector: what is kept alive by a cycle stays to be seen.

    The agent's own runs seldom (`kit.memory.GC_THRESHOLDS`), and hardly ever over what is old.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def churn(made: Node, count: int, batch: int = 25) -> None:
    """Run `count` pods with a volume and a probe each, `batch` at a time, until all are gone."""
    for begin in range(0, count, batch):
        names = [f"pod-{number}" for number in range(begin, min(begin + batch, count))]
        for name in names:
            metadata = {"name": name, "namespace": "default"}
            config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}
            await made.admin.create(CONFIG_MAPS, config)
            container = {
                "volumeMounts": [{"name": "c", "mountPath": "/c"}],
                "readinessProbe": {"exec": {"command": ["true"]}},
            }
            await made.create(name, container, volumes=[{"name": "c", "configMap": {"name": name}}])
        for name in names:
            await made.ready(name)
            await made.admin.delete(CONFIG_MAPS, name, "default")
            await made.admin.delete(PODS, name, "default")

        async def gone() -> bool:
            await made.clock.advance(1)
            listed = await made.admin.list(PODS, "default")
            # A worker ends a little after its pod is gone.
            return not listed.items and not await made.runtime.sandboxes() and made.kubelet.workers == 0

        await eventually(gone)
        await made.clock.advance(30)


def objects() -> Counter[str]:
    """How many objects of ours there are, by type."""
    types = (type(obj) for obj in gc.get_objects())
    names = Counter(f"{kind.__module__}.{kind.__qualname__}" for kind in types)
    return Counter({n: c for n, c in names.items() if n.startswith(OURS) and not n.startswith(FAKES)})


@pytest.mark.parametrize("count", [25, pytest.param(500, marks=pytest.mark.slow)])
async def test_nothing_is_kept_of_pods_that_are_gone(tmp_path: Path, uncollected: None, count: int) -> None:
    async with node(tmp_path) as made:
        await churn(made, 5)
        gc.collect()
        before = objects()
        await churn(made, count)
        # What is cancelled while it waits may stay in a traceback, which is a cycle; a pod as such may not.
        left = objects() - before
        assert left[f"{PodWorker.__module__}.{PodWorker.__qualname__}"] <= count // 20
        assert left.total() <= count // 5
        gc.collect()
        assert objects() - before == Counter()
        assert made.kubelet.pods() == []
