"""Every controller goes on after whatever fails once: its sync, its client, the memory of its writes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.pods import PODS
from wherry.controllers.base import Controller
from wherry.controllers.catalog import CONTROLLERS
from wherry.controllers.config import builtin_resources
from wherry.controllers.garbage.collector import GarbageCollector
from wherry.controllers.pod_gc import PodGc

FAULTS = [RuntimeError("broken"), OSError("no descriptors"), KeyError("spec")]


@pytest.mark.parametrize("kind", CONTROLLERS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("place", ["sync", "holds"])
async def test_no_fault_costs_a_worker_or_the_key(kind: type[Controller], place: str) -> None:
    async with running(kind) as bench:
        (controller,) = bench.controllers.controllers
        before = len(controller.tasks)
        faults: list[Exception] = [*FAULTS]
        seen: list[str] = []
        sync, must_wait = controller.sync, controller._holds.must_wait

        async def breaking_sync(key: str) -> float | None:
            if place == "sync" and faults:
                raise faults.pop()
            seen.append(key)
            return await sync(key)

        def breaking_wait(key: str) -> bool:
            if place == "holds" and faults:
                raise faults.pop()
            return must_wait(key)

        controller.sync = breaking_sync  # type: ignore[method-assign]
        controller._holds.must_wait = breaking_wait  # type: ignore[method-assign]
        controller.queue.add("default/absent")
        await bench.settle()
        await bench.clock.advance(10)
        assert not faults
        assert "default/absent" in seen
        assert len(controller.tasks) == before


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
async def test_the_collector_begins_although_the_first_look_failed(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    faults = [fault]

    def resources() -> Any:
        if faults:
            raise faults.pop()
        return builtin_resources()

    async def break_it(bench: Bench) -> None:
        registry = bench.rig.server.core.registry
        monkeypatch.setattr(registry, "resources", resources)

    async with running(GarbageCollector, before=break_it) as bench:
        assert not faults
        await bench.clock.advance(1)
        await bench.settle()
        owner = await bench.create(CONFIG_MAPS, {"metadata": {"name": "o", "namespace": "default"}})
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": owner["metadata"]["uid"]}
        await bench.create(PODS, samples.pod(ownerReferences=[reference]))
        await bench.client.delete(CONFIG_MAPS, "o", "default")
        await bench.settle()
        assert await bench.all(PODS) == []


async def test_a_sync_whose_wait_others_cancelled_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    async with running(PodGc) as bench:
        (controller,) = bench.controllers.controllers
        before = len(controller.tasks)
        awaited = asyncio.get_running_loop().create_future()
        seen: list[str] = []

        async def sync(key: str) -> float | None:
            seen.append(key)
            if len(seen) == 1:
                await awaited
            return None

        controller.sync = sync  # type: ignore[method-assign]
        controller.queue.add("default/absent")
        await bench.settle()
        awaited.cancel()
        await bench.settle()
        await bench.clock.advance(1)
        assert seen == ["default/absent"] * 2
        assert len(controller.tasks) == before
        assert "given up by somebody else" in caplog.text
