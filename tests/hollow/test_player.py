"""Playing stages: nothing twice, nothing lost, and one object's fault is its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.hollow.rig import Simulation, simulated
from wherry.api.core.pods import PODS
from wherry.client.transport import MERGE_PATCH
from wherry.hollow.player import MOST_IN_A_ROW
from wherry.hollow.stages import Patch, Stage, Step, Surroundings
from wherry.objects.meta import Object, annotations_of, name_of


def counting(limit: int, make: Any = None, *, immediate: bool = False) -> Stage:
    """Adds one to an annotation until it says `limit`."""

    def change(pod: Object, _around: Surroundings) -> Object:
        count = int(annotations_of(pod).get("count", "0")) + 1
        return {"metadata": {"annotations": {"count": str(count)}}}

    steps: Sequence[Step] = (Patch(make or change, MERGE_PATCH),)
    return Stage(
        name="count",
        resource=PODS,
        matches=lambda pod: int(annotations_of(pod).get("count", "0")) < limit,
        steps=lambda _: steps,
        immediate=immediate,
    )


async def count(s: Simulation, name: str) -> str:
    return annotations_of(await s.get(name)).get("count", "0")


@pytest.mark.parametrize("immediate", [False, True])
async def test_each_stage_is_played_on_what_the_one_before_wrote(immediate: bool) -> None:
    async with simulated(stages=[counting(50, immediate=immediate)]) as s:
        for number in range(5):
            await s.pod(f"p{number}")
        await s.settle()
        assert [await count(s, f"p{number}") for number in range(5)] == ["50"] * 5
        assert s.hollow.played(PODS) == 250


@pytest.mark.parametrize("immediate", [False, True])
async def test_a_stage_without_end_rests_ever_longer(
    immediate: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """One without a delay that goes on matching what it writes is no loop without time."""
    async with simulated(stages=[counting(1 << 30, immediate=immediate)]) as s:
        await s.pod()
        await s.settle()
        played = [s.hollow.played(PODS)]
        for seconds in (0.9, 0.2, 1.8, 0.3, 3.6, 0.5):
            await s.advance(seconds)
            played.append(s.hollow.played(PODS))
        assert played == [MOST_IN_A_ROW * rows for rows in (1, 1, 2, 2, 3, 3, 4)]
        assert caplog.text.count("stages without a delay were played in a row, the last is count") == 1


async def test_each_object_has_a_row_of_its_own() -> None:
    async with simulated(stages=[counting(1)]) as s:
        for number in range(3 * MOST_IN_A_ROW):
            await s.pod(f"p{number}")
        await s.settle()
        assert s.hollow.played(PODS) == 3 * MOST_IN_A_ROW


async def test_a_stage_that_changes_nothing_is_played_once() -> None:
    async with simulated(stages=[counting(1, lambda _pod, _around: {})]) as s:
        await s.pod()
        await s.advance(60)
        assert s.hollow.played(PODS) == 1


async def test_what_nobody_thought_of_costs_neither_the_others_nor_the_next_try(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[str] = []

    def fails_at_first(pod: Object, _around: Surroundings) -> Object:
        calls.append(name_of(pod))
        if name_of(pod) == "odd" and calls.count("odd") < 3:
            raise KeyError("nobody thought of this")
        return {"metadata": {"annotations": {"count": "1"}}}

    async with simulated(stages=[counting(1, fails_at_first)]) as s:
        for name in ["odd", *(f"p{number}" for number in range(40))]:
            await s.pod(name)
        assert await count(s, "p39") == "1"
        assert await count(s, "odd") == "0"
        assert "Pod default/odd: stage count failed, again in 1 s" in caplog.text
        await s.advance(1)
        assert await count(s, "odd") == "0"
        await s.advance(2)
        assert await count(s, "odd") == "1"


async def test_a_pod_that_goes_while_its_stage_waits_or_is_played_leaves_nothing() -> None:
    async with simulated(stages=[counting(1)]) as s:
        await s.pod()
        await s.client.delete(PODS, "web", "default", grace_period_s=0)
        await s.settle()
        assert s.hollow.known(PODS) == 0
