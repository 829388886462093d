"""The loop itself: back-off, slow start, and resting until the cache shows what was written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from tests.controllers import samples
from tests.controllers.bench import running
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.pods import PODS
from wherry.controllers.base import Controller, slow_start
from wherry.kit.clock import settle
from wherry.objects.meta import Object, name_of, namespace_of


class OnePodEach(Controller):
    """Makes a pod for each config map that has none; not idempotent without holding keys."""

    name = "one-pod-each"
    primary = CONFIG_MAPS
    watches: ClassVar = {PODS: lambda cache, old, new: ()}
    failures: ClassVar[list[Exception]] = []

    async def sync(self, key: str) -> float | None:
        if self.failures:
            raise self.failures.pop()
        config_map = self.cache.get(CONFIG_MAPS, key)
        if config_map is None or namespace_of(config_map) != "default":
            return None
        if not [p for p in self.cache.list(PODS) if p["metadata"]["labels"]["for"] == name_of(config_map)]:
            meta = {"generateName": "p-", "namespace": "default", "labels": {"for": name_of(config_map)}}
            await self.create(key, PODS, {"metadata": meta, "spec": samples.pod_spec()})
            self.queue.add(key)  # at once again, before the cache can know
        return None


TABLE: Object = {"metadata": {"name": "c", "namespace": "default"}}


async def test_a_key_rests_until_its_writes_are_seen() -> None:
    async with running(OnePodEach) as bench:
        await bench.create(CONFIG_MAPS, TABLE)
        assert len(await bench.all(PODS)) == 1


async def test_a_failed_sync_comes_again() -> None:
    OnePodEach.failures.append(RuntimeError("once"))
    async with running(OnePodEach) as bench:
        await bench.create(CONFIG_MAPS, TABLE)
        assert len(await bench.all(PODS)) == 1


async def test_slow_start_doubles_and_stops_at_a_failing_batch() -> None:
    started: list[int] = []

    def job(number: int, fails: bool) -> Callable[[], Awaitable[int]]:
        async def run() -> int:
            started.append(number)
            await settle(1)
            if fails:
                raise RuntimeError(str(number))
            return number

        return run

    done, failed = await slow_start([job(n, False) for n in range(10)])
    assert (done, failed) == (list(range(10)), [])
    started.clear()
    done, failed = await slow_start([job(n, n == 2) for n in range(100)])
    assert started == [0, 1, 2]
    assert done == [0, 1]
    assert [str(error) for error in failed] == ["2"]


class Known(OnePodEach):
    """Tells the test which it is."""

    made: ClassVar[list[Controller]] = []

    def watch_sources(self) -> None:
        Known.made = [self]
        super().watch_sources()


async def test_the_keys_of_one_event_come_in_the_same_order_each_time() -> None:
    names = [f"default/{number}" for number in range(12)]
    async with running(Known):
        (controller,) = Known.made
        queued: list[str] = []
        controller.queue.add_after = lambda key, delay_s: queued.append(key)  # type: ignore[method-assign]
        controller.map_event(PODS, lambda cache, old, new: set(names), None, None)
        controller.map_event(PODS, lambda cache, old, new: reversed(names), None, None)
        assert queued == [*sorted(names), *reversed(names)]
