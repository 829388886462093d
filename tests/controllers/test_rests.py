"""Keys of many objects rest between syncs; what happens meanwhile is one sync."""

from __future__ import annotations

from typing import ClassVar

import pytest

from tests.controllers.bench import running
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.controllers.base import Controller
from wherry.controllers.rests import Rests, rest_s
from wherry.kit.clock import FakeClock


@pytest.mark.parametrize(("objects", "seconds"), [(0, 0.0), (99, 0.0), (100, 0.1), (500, 0.5), (50_000, 1.0)])
def test_the_rest_grows_with_the_objects(objects: int, seconds: float) -> None:
    assert rest_s(objects, 0.001) == pytest.approx(seconds)


async def test_nothing_is_kept_of_what_does_not_rest() -> None:
    rests = Rests(FakeClock(), 0.001)
    rests.note("k", 500)
    assert rests.left_s("k") == pytest.approx(0.5)
    rests.note("k", 0)
    assert (rests.left_s("k"), len(rests)) == (0.0, 0)


class Counting(Controller):
    """Looks at as many objects as `objects` says."""

    name: ClassVar = "counting"
    primary: ClassVar = CONFIG_MAPS
    objects: ClassVar = 0
    syncs: ClassVar = 0

    async def sync(self, key: str) -> float | None:
        if key != "default/c":
            return None
        Counting.syncs += 1
        self.rests.note(key, self.objects)
        return None


@pytest.mark.parametrize(("objects", "syncs"), [(10, 20), (500, 2)])
async def test_events_of_a_resting_key_are_one_sync(objects: int, syncs: int) -> None:
    Counting.objects, Counting.syncs = objects, 0
    async with running(Counting) as bench:
        await bench.create(CONFIG_MAPS, {"metadata": {"name": "c", "namespace": "default"}})
        for number in range(19):
            await bench.client.patch(CONFIG_MAPS, "c", "default", {"data": {"n": str(number)}})
            await bench.clock.advance(0.001)
        await bench.clock.advance(0.5)
        assert Counting.syncs == syncs
