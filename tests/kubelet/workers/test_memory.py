"""What a worker remembers: how long what failed rests, and what was said already."""

from __future__ import annotations

import pytest

from tests.kubelet.builders import make_pod
from wherry.kit.clock import FakeClock
from wherry.kubelet.workers.memory import EVERYTHING, LONGEST_RETRY_S, Memory, Rests


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_each_failure_rests_twice_as_long_up_to_the_longest(clock: FakeClock) -> None:
    woken: list[float] = []
    rests = Rests(clock, woken.append)
    for _ in range(12):
        rests.failed()
    assert woken[:4] == [0.5, 1, 2, 4]
    assert woken[-1] == LONGEST_RETRY_S
    assert rests.is_resting(EVERYTHING)
    await clock.advance(LONGEST_RETRY_S)
    assert not rests.is_resting(EVERYTHING)
    rests.succeeded()
    woken.clear()
    rests.failed()
    assert woken == [0.5]


async def test_a_container_rests_by_itself_and_some_until_something_changes(clock: FakeClock) -> None:
    woken: list[float] = []
    rests = Rests(clock, woken.append)
    rests.rest("soon", 10)
    rests.rest("never", None)
    await clock.advance(4)
    assert rests.is_resting("soon")
    assert woken == [6], "somebody looks again when it is over"
    assert rests.is_resting("never")
    assert woken == [6], "of its own accord it is not over"
    assert not rests.is_resting(EVERYTHING)
    await clock.advance(6)
    assert not rests.is_resting("soon")
    rests.end()
    assert not rests.is_resting("never")


def test_a_back_off_is_told_once_per_run() -> None:
    memory = Memory()
    assert memory.is_first_back_off("web", 0)
    assert not memory.is_first_back_off("web", 0)
    assert memory.is_first_back_off("web", 1)
    assert memory.is_first_back_off("db", 1)


def test_what_was_told_stands_over_what_is_shown_but_for_conditions_of_others() -> None:
    pod = {**make_pod({"name": "web"}), "status": {"phase": "Pending", "qosClass": "BestEffort"}}
    pod["status"]["conditions"] = [{"type": "PodScheduled"}, {"type": "Ready", "status": "False"}]
    memory = Memory()
    assert memory.as_told(pod) is pod
    memory.told = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    assert memory.as_told(pod)["status"] == {
        "phase": "Running",
        "qosClass": "BestEffort",
        "conditions": [{"type": "PodScheduled"}, {"type": "Ready", "status": "True"}],
    }


def test_what_fails_after_a_change_does_not_rest() -> None:
    """An act went by what was there before; the change it did not see must not wait for a back-off."""
    wakes: list[float] = []
    rests = Rests(FakeClock(), wakes.append)
    for fail in (rests.failed, lambda: rests.rest("web", None)):
        rests.begin()
        rests.end()
        fail()
        assert not rests.is_resting(EVERYTHING)
        assert not rests.is_resting("web")
    assert wakes == [0.0, 0.0]
    rests.begin()
    rests.failed()
    assert rests.is_resting(EVERYTHING)
