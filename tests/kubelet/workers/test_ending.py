"""A pod's way to its end, step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.kubelet.builders import make_pod
from wherry.kubelet.eviction.verdict import Verdict
from wherry.kubelet.plan import Plan
from wherry.kubelet.workers.ending import Ending, Mode, Step
from wherry.objects.meta import Object

WEB = {"name": "web", "image": "i"}
UP = make_pod(WEB, terminationGracePeriodSeconds=30)
EVICTED = Verdict(reason="Evicted", message="no room", grace_s=1)
DEADLINE = Verdict(reason="DeadlineExceeded", message="too long")


def deleting(grace_s: int) -> Object:
    meta = {
        **UP["metadata"],
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "deletionGracePeriodSeconds": grace_s,
    }
    return {**UP, "metadata": meta}


def ended(phase: str) -> Object:
    return {**UP, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("pod", "mode", "keeps_status"),
    [
        (UP, Mode.UP, False),
        (deleting(30), Mode.DOWN, False),
        (ended("Succeeded"), Mode.DOWN, True),
        (ended("Failed"), Mode.DOWN, True),
    ],
    ids=["up", "deleted", "succeeded", "failed"],
)
def test_where_a_pod_stands_that_is_found(pod: Object, mode: Mode, keeps_status: bool) -> None:
    assert Ending.of(pod) == Ending(mode, keeps_status=keeps_status)


def test_a_pod_that_is_up_is_built_while_there_is_work() -> None:
    ending = Ending()
    assert ending.step(UP, has_work=True) is Step.BUILD_UP
    assert ending.step(UP, has_work=False) is Step.NOTHING


def test_deleted_from_end_to_end() -> None:
    ending, pod = Ending(), deleting(30)
    assert ending.begin(pod), "what builds it up is broken off"
    assert not ending.begin(pod), "once"
    assert ending.step(pod, has_work=False) is Step.TAKE_DOWN
    assert ending.stopping(pod) == 30
    ending.taken_down()
    assert ending.step(pod, has_work=False) is Step.SETTLE
    ending.is_delete_sent = True
    assert ending.step(pod, has_work=False) is Step.NOTHING, "until the API server says it is gone"
    ending.is_removed = True
    assert ending.step(pod, has_work=False) is Step.SETTLE


def test_a_pod_that_ended_by_itself_waits_to_be_deleted() -> None:
    ending = Ending()
    ending.take(Plan(finish=True))
    assert ending.step(UP, has_work=False) is Step.TAKE_DOWN
    ending.taken_down()
    assert ending.step(UP, has_work=False) is Step.NOTHING
    assert ending.step(deleting(30), has_work=False) is Step.SETTLE


@pytest.mark.parametrize(
    ("mode", "plan"),
    [
        (Mode.UP, None),
        (Mode.UP, Plan()),
        (Mode.UP, Plan(finish=True, new_sandbox=True)),
        (Mode.DONE, Plan(finish=True)),
    ],
)
def test_what_is_planned_ends_only_what_is_up_and_done(mode: Mode, plan: Plan | None) -> None:
    ending = Ending(mode)
    ending.take(plan)
    assert ending.mode is mode


GRACES: list[tuple[str, dict[str, Any], Object, int]] = [
    ("as the pod says", {}, UP, 30),
    ("as the deletion says", {}, deleting(5), 5),
    ("at least a second", {}, deleting(0), 1),
    ("as the node says", {"verdict": EVICTED}, UP, 1),
    ("the node takes no position", {"verdict": DEADLINE}, UP, 30),
    ("never longer than the pod says", {"verdict": replace(EVICTED, grace_s=60)}, UP, 30),
    ("removed while it was up", {"is_removed": True}, UP, 30),
    ("removed while it was stopped", {"is_removed": True, "grace_s": 4}, UP, 4),
]


@pytest.mark.parametrize(("facts", "pod", "expected"), [g[1:] for g in GRACES], ids=[g[0] for g in GRACES])
def test_how_long_it_may_take(facts: dict[str, Any], pod: Object, expected: int) -> None:
    assert Ending(**facts).stop_grace_s(pod) == expected


def test_a_shorter_time_breaks_off_the_longer_one_and_not_the_other_way_round() -> None:
    ending = Ending()
    ending.begin(deleting(30))
    ending.stopping(deleting(30))
    assert not ending.begin(deleting(60))
    assert ending.begin(deleting(5)), "kubectl delete --grace-period=5, a second time"
    assert ending.stopping(deleting(5)) == 5
    ending.taken_down()
    assert not ending.begin(deleting(1)), "there is nothing left to stop"


def test_the_node_condemns_once_and_only_what_is_up() -> None:
    ending = Ending()
    assert ending.condemn(EVICTED)
    assert not ending.condemn(DEADLINE)
    assert ending.verdict is EVICTED
    assert not ending.is_rejected
    assert not Ending(Mode.DOWN).condemn(EVICTED)
    refused = Ending()
    assert refused.condemn(DEADLINE, rejected=True)
    assert refused.is_rejected
