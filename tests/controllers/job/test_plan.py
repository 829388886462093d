"""Which pods a Job makes and removes, and how long it waits: tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.controllers.job.shapes import NOW, facts, indexed, job, pod
from wherry.controllers.job.backoff import Backoff, finished_at, remaining_s
from wherry.controllers.job.plan import PodPlan, plan_pods, to_replace
from wherry.controllers.job.pods import make_pod, name_prefix
from wherry.controllers.job.verdict import progress_of
from wherry.objects.meta import Object, name_of

QUEUE = {"completions": None, "parallelism": 3}
FAILED_ONLY: dict[str, Any] = {"podReplacementPolicy": "Failed"}


def plan(a_job: Object, *pods: Object, backoff: Backoff | None = None) -> PodPlan:
    seen = facts(a_job, *pods)
    progress = progress_of(seen)
    return plan_pods(seen, progress, backoff or Backoff(), to_replace(seen, progress))


@pytest.mark.parametrize(
    ("a_job", "pods", "made"),
    [
        (job(), [], 1),
        (job(), [pod("a")], 0),
        (job({"parallelism": 3, "completions": 5}), [], 3),
        (job({"parallelism": 3, "completions": 5}, {"succeeded": 3}), [], 2),
        (job({"parallelism": 3, "completions": 5}, {"succeeded": 3}), [pod("a", "Succeeded")], 1),
        (job({"parallelism": 0, "completions": 5}), [], 0),
        (job({"parallelism": 2**31 - 1, "completions": 2**31 - 1}), [], 500),
        (job(QUEUE), [], 3),
        (job(QUEUE), [pod("a"), pod("b", "Succeeded")], 0),
        (job(QUEUE, {"succeeded": 1}), [], 0),
        (job({"parallelism": 2, "completions": 2}), [pod("a"), pod("b", deleting=True)], 1),
        (job({"parallelism": 2, "completions": 2, **FAILED_ONLY}), [pod("a"), pod("b", deleting=True)], 0),
    ],
)
def test_how_many_are_made(a_job: Object, pods: list[Object], made: int) -> None:
    assert plan(a_job, *pods) == PodPlan(create=[None] * made)


@pytest.mark.parametrize(
    ("a_job", "pods", "removed"),
    [
        (job({"parallelism": 1, "completions": 3}), [pod("a", node="n"), pod("b")], ["b"]),
        (
            job({"parallelism": 1, "completions": 3}),
            [pod("a", node="n"), pod("b", "Pending", node="n")],
            ["b"],
        ),
        (
            job({"parallelism": 1, "completions": 3}),
            [pod("a", ready=True, node="n"), pod("b", node="n")],
            ["b"],
        ),
        (job({"parallelism": 1, "completions": 3}), [pod("a", restarts=1), pod("b", restarts=0)], ["a"]),
        (job({"parallelism": 2, "completions": 2}, {"succeeded": 1}), [pod("a", node="n"), pod("b")], ["b"]),
        (job({"parallelism": 0, "completions": 3}), [pod("a"), pod("b")], ["a", "b"]),
        (job({"suspend": True}), [pod("a"), pod("b", "Succeeded"), pod("c", deleting=True)], ["a"]),
        (indexed(3), [pod("a", index=1, node="n"), pod("b", index=1)], ["b"]),
        (indexed(3), [pod("a", index=7), pod("b"), pod("c", index=0)], ["a", "b"]),
    ],
)
def test_which_are_removed(a_job: Object, pods: list[Object], removed: list[str]) -> None:
    found = plan(a_job, *pods)
    assert sorted(name_of(one.pod) for one in found.remove) == removed
    assert not found.create


@pytest.mark.parametrize(
    ("a_job", "pods", "made"),
    [
        (indexed(5, 3), [], [0, 1, 2]),
        (indexed(5, 3, {"completedIndexes": "0,2"}), [pod("a", index=1)], [3, 4]),
        (indexed(5, 5), [pod("a", "Succeeded", 0), pod("b", index=3)], [1, 2, 4]),
        (indexed(3, 3, {"failedIndexes": "0"}, backoffLimitPerIndex=0), [], [1, 2]),
        (indexed(3, 3, **FAILED_ONLY), [pod("a", index=0, deleting=True)], [1, 2]),
        (indexed(3, 3), [pod("a", index=0, deleting=True)], [0, 1, 2]),
        (indexed(2, 2, backoffLimitPerIndex=3), [pod("a", "Failed", 0, ended=11)], [0, 1]),
        (indexed(2, 2, backoffLimitPerIndex=3), [pod("a", "Failed", 0, ended=9)], [1]),
        (indexed(2, 2, backoffLimitPerIndex=3), [pod("a", "Failed", 0, failures=1, ended=19)], [1]),
        (indexed(2, 2, backoffLimitPerIndex=3), [pod("a", "Failed", 0, failures=1, ended=20)], [0, 1]),
        (indexed(2, 2, backoffLimitPerIndex=3), [pod("a", "Failed", 0, ignored=1, ended=19)], [1]),
    ],
)
def test_which_indexes_get_pods(a_job: Object, pods: list[Object], made: list[int]) -> None:
    assert plan(a_job, *pods).create == made


def test_an_index_that_has_to_wait_says_how_long() -> None:
    found = plan(indexed(1, 1, backoffLimitPerIndex=3), pod("a", "Failed", 0, ended=4))
    assert found == PodPlan(wait_s=6)


def test_after_failures_no_pod_is_made_for_a_while() -> None:
    waiting = Backoff(2, NOW - timedelta(seconds=5))
    assert plan(job(), backoff=waiting) == PodPlan(wait_s=15)
    assert plan(job(), backoff=Backoff(2, NOW - timedelta(seconds=20))) == PodPlan(create=[None])


@pytest.mark.parametrize(
    ("failures", "wait_s"), [(0, 0), (1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (8, 600), (2**31, 600)]
)
def test_the_wait_doubles_up_to_ten_minutes(failures: int, wait_s: float) -> None:
    assert remaining_s(failures, NOW, NOW) == wait_s


def test_a_failure_ahead_of_the_clock_is_not_waited_for_for_ever() -> None:
    assert remaining_s(1, NOW + timedelta(days=365), NOW) == 10


def test_only_failures_since_the_last_success_count() -> None:
    before = Backoff(3, NOW - timedelta(hours=1))
    failed = [pod("f", "Failed", ended=5), pod("g", "Failed", ended=1)]
    assert before.after([], failed) == Backoff(5, NOW - timedelta(seconds=1))
    assert before.after([pod("s", "Succeeded", ended=3)], failed) == Backoff(1, NOW - timedelta(seconds=1))
    assert before.after([pod("s", "Succeeded", ended=1)], failed) == Backoff()
    assert before.after([], []) == before


def test_when_a_pod_ended() -> None:
    assert finished_at(pod("a", "Failed", ended=7)) == NOW - timedelta(seconds=7)
    not_ready = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T11:00:00Z"}
    assert finished_at(pod("a", conditions=[not_ready])) == NOW - timedelta(hours=1)
    assert finished_at(pod("a", deleting=True)) == NOW - timedelta(seconds=5)
    assert finished_at(pod("a")) == NOW - timedelta(seconds=50)
    patient = pod("a", deleting=True)
    patient["metadata"]["deletionGracePeriodSeconds"] = 2**63 - 1
    assert finished_at(patient) < NOW - timedelta(days=365 * 60)


def test_the_failed_pod_that_hands_its_count_on() -> None:
    seen = facts(
        indexed(4, backoffLimitPerIndex=2),
        pod("old", "Failed", 0, failures=0, ended=9),
        pod("new", "Failed", 0, failures=1, ended=3),
        pod("replaced", "Failed", 1),
        pod("in its place", index=1),
        pod("out", "Failed", 2, failures=2),
    )
    found = to_replace(seen, progress_of(seen))
    assert {index: name_of(one.pod) for index, one in found.items()} == {0: "new"}


def test_a_pod_of_an_index() -> None:
    a_job = indexed(3, backoffLimitPerIndex=2)
    init = {"name": "i", "image": "i", "env": [{"name": "JOB_COMPLETION_INDEX", "value": "mine"}]}
    a_job["spec"]["template"]["spec"]["initContainers"] = [init]
    (failed,) = facts(a_job, pod("f", "Failed", 2, failures=1)).pods
    made = make_pod(a_job, 2, failed)
    meta = made["metadata"]
    assert meta["generateName"] == "j-2-"
    assert meta["labels"] == {"job": "j", "batch.kubernetes.io/job-completion-index": "2"}
    assert meta["annotations"] == {
        "batch.kubernetes.io/job-completion-index": "2",
        "batch.kubernetes.io/job-index-failure-count": "2",
    }
    assert meta["finalizers"] == ["batch.kubernetes.io/job-tracking"]
    assert made["spec"]["hostname"] == "j-2"
    assert made["spec"]["initContainers"] == [init]
    assert made["spec"]["containers"][0]["env"] == [
        {
            "name": "JOB_COMPLETION_INDEX",
            "valueFrom": {
                "fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/job-completion-index']"}
            },
        }
    ]
    assert "env" not in a_job["spec"]["template"]["spec"]["containers"][0]


def test_an_ignored_failure_is_handed_on_as_such() -> None:
    rules: dict[str, Any] = {
        "rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [42]}}]
    }
    a_job = indexed(1, backoffLimitPerIndex=2, podFailurePolicy=rules)
    (failed,) = facts(a_job, pod("f", "Failed", 0, failures=1, code=42)).pods
    annotations = make_pod(a_job, 0, failed)["metadata"]["annotations"]
    assert annotations["batch.kubernetes.io/job-index-failure-count"] == "1"
    assert annotations["batch.kubernetes.io/job-index-ignored-failure-count"] == "1"


def test_a_long_name_keeps_its_index() -> None:
    assert name_prefix("x" * 60, 123) == f"{'x' * 53}-123-"
    assert len(name_prefix("x" * 60, 123)) == 58
