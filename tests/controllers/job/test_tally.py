"""Ended pods are counted once each: tables, and a random walk of crashes against what happened in truth."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.controllers.job.shapes import NOW, facts, indexed, job, pod
from wherry.controllers.job.facts import FINALIZER, look
from wherry.controllers.job.indexes import Indexes
from wherry.controllers.job.tally import Tally, count, plan_tally
from wherry.controllers.job.verdict import REACHED, Verdict, progress_of
from wherry.objects.meta import Object

FAILS = Verdict("FailureTarget", "R", "m")
IGNORED = {"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [42]}}]}


def tally(a_job: Object, *pods: Object, verdict: Verdict | None = None, kept: tuple[str, ...] = ()) -> Tally:
    seen = facts(a_job, *pods)
    return plan_tally(seen, dict(seen.status), progress_of(seen), verdict, kept)


@pytest.mark.parametrize(
    ("a_job", "pods", "verdict", "uncounted", "released"),
    [
        (job(), [pod("a")], None, {}, []),
        (job(), [pod("a", "Succeeded")], None, {"succeeded": ["a"]}, ["a"]),
        (job(), [pod("a", "Failed")], None, {"failed": ["a"]}, ["a"]),
        (job(), [pod("a", deleting=True)], None, {"failed": ["a"]}, ["a"]),
        (job({"podReplacementPolicy": "Failed"}), [pod("a", deleting=True)], None, {}, []),
        (job(), [pod("a", "Succeeded", tracked=False)], None, {}, []),
        (job({"podFailurePolicy": IGNORED}), [pod("a", "Failed", code=42)], None, {}, ["a"]),
        (job({"podFailurePolicy": IGNORED}), [pod("a", "Failed", code=1)], None, {"failed": ["a"]}, ["a"]),
        (job(), [pod("a")], FAILS, {"failed": ["a"]}, ["a"]),
        (job(), [pod("a")], REACHED, {}, ["a"]),
        (job(deletionTimestamp="2026-01-01T00:00:00Z"), [pod("a")], None, {}, ["a"]),
        (indexed(2), [pod("a", "Succeeded", 1)], None, {}, ["a"]),
        (indexed(2), [pod("a", "Failed", 1), pod("b", "Failed", 9)], None, {"failed": ["a"]}, ["b", "a"]),
    ],
)
def test_what_is_noted_and_released(
    a_job: Object, pods: list[Object], verdict: Verdict | None, uncounted: Any, released: list[str]
) -> None:
    found = tally(a_job, *pods, verdict=verdict)
    assert found.status["uncountedTerminatedPods"] == uncounted
    assert [one.uid for one in found.release] == released


def test_indexes_are_noted_in_place_of_uids() -> None:
    found = tally(
        indexed(9, status={"completedIndexes": "0"}), pod("a", "Succeeded", 1), pod("b", "Succeeded", 4)
    )
    assert found.status["completedIndexes"] == "0,1,4"
    assert found.status["succeeded"] == 3
    assert "failedIndexes" not in found.status
    assert tally(indexed(9, backoffLimitPerIndex=0)).status["failedIndexes"] == ""


def test_a_pod_to_be_replaced_keeps_its_finalizer() -> None:
    found = tally(indexed(2, backoffLimitPerIndex=2), pod("a", "Failed", 0), kept=("a",))
    assert found.release == []
    assert found.status["uncountedTerminatedPods"] == {}


def test_what_has_no_finalizer_any_more_is_counted() -> None:
    status: dict[str, Any] = {
        "failed": 1,
        "uncountedTerminatedPods": {"failed": ["a", "b"], "succeeded": ["c"]},
    }
    count(status, {"b"})
    assert status == {"failed": 2, "succeeded": 1, "uncountedTerminatedPods": {"failed": ["b"]}}


def test_a_pod_noted_as_failed_stays_failed() -> None:
    found = tally(job(status={"uncountedTerminatedPods": {"failed": ["a"]}}), pod("a", "Succeeded"))
    assert found.status["uncountedTerminatedPods"] == {"failed": ["a"]}


def test_only_so_many_are_counted_at_once() -> None:
    found = tally(job({"completions": 2000}), *(pod(f"p{n}", "Succeeded") for n in range(700)))
    assert found.is_partial
    assert len(found.release) == len(found.status["uncountedTerminatedPods"]["succeeded"]) == 500


def test_the_interim_condition_is_said_once() -> None:
    (said,) = tally(job(), verdict=FAILS).status["conditions"]
    assert (said["type"], said["reason"], said["message"]) == ("FailureTarget", "R", "m")
    known = {**said, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    assert tally(job(status={"conditions": [known]}), verdict=FAILS).status["conditions"] == [known]


STEPS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from(["Succeeded", "Failed", "deleted", "none"]),
        st.integers(0, 12),
        st.booleans(),
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(STEPS, st.booleans())
def test_whenever_the_controller_is_killed_each_pod_counts_once(
    steps: list[tuple[int, str, int, bool]], is_indexed: bool
) -> None:
    """Pods end in any order; each sync is killed after so many of its writes, or forgets nothing."""
    a_job = indexed(10) if is_indexed else job({"completions": 10, "parallelism": 10, "backoffLimit": 99})
    pods = {n: pod(f"p{n}", index=n if is_indexed else None) for n in range(10)}
    truth: dict[int, str] = {}
    for number, ending, budget, is_gone in [*steps, (0, "none", 99, False), (0, "none", 99, False)]:
        one = pods.get(number)
        if one is not None and number not in truth and ending != "none":
            truth[number] = "succeeded" if ending == "Succeeded" else "failed"
            if ending == "deleted":
                one["metadata"]["deletionTimestamp"] = "2026-01-01T11:59:00Z"
            else:
                one["status"]["phase"] = ending
        _sync(a_job, pods, budget)
        if is_gone and number in pods and FINALIZER not in pods[number]["metadata"]["finalizers"]:
            del pods[number]  # without the finalizer anybody may delete it
    status = a_job["status"]
    for outcome in ("succeeded", "failed"):
        assert (status.get(outcome) or 0) == list(truth.values()).count(outcome)
    assert not status["uncountedTerminatedPods"]
    if is_indexed:
        done = Indexes.of(n for n, outcome in truth.items() if outcome == "succeeded")
        assert status.get("completedIndexes") == str(done)


def _sync(a_job: Object, pods: dict[int, Object], budget: int) -> None:
    """What the controller does, with a crash once `budget` writes were done."""
    seen = look(a_job, pods.values(), NOW)
    found = plan_tally(seen, dict(seen.status), progress_of(seen), None)
    if budget == 0:
        return
    a_job["status"] = found.status
    freed: set[str] = set()
    for one in found.release[: budget - 1]:
        one.pod["metadata"]["finalizers"] = []
        freed.add(one.uid)
    if budget - 1 <= len(found.release):
        return
    status = dict(found.status)
    count(status, {one.uid for one in seen.pods if one.is_tracked} - freed)
    a_job["status"] = status
