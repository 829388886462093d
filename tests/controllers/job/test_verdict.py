"""When a Job has come to its end, and what it says then: tables."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers.job.shapes import ago, facts, indexed, job, pod
from wherry.controllers.job.failure_policy import match_failure
from wherry.controllers.job.indexes import Indexes
from wherry.controllers.job.verdict import Verdict, judge, progress_of, success_message
from wherry.objects.meta import Object

LIMIT = ("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
DEADLINE = ("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")
ON_FAILURE = {"template": {"spec": {"restartPolicy": "OnFailure"}}}
PER_INDEX: dict[str, Any] = {"backoffLimitPerIndex": 1}


def rule(action: str, **codes: Any) -> dict[str, Any]:
    return {"rules": [{"action": action, "onExitCodes": {"operator": "In", "values": [42], **codes}}]}


DISRUPTED = {"type": "DisruptionTarget", "status": "True"}
ON_DISRUPTION = {"rules": [{"action": "FailJob", "onPodConditions": [DISRUPTED]}]}


@pytest.mark.parametrize(
    ("a_job", "pods", "expected"),
    [
        (job(), [pod("a")], None),
        (job({"backoffLimit": 0}), [pod("a", "Failed")], LIMIT),
        (job({"backoffLimit": 1}), [pod("a", "Failed")], None),
        (job({"backoffLimit": 1}, {"failed": 1}), [pod("a", "Failed")], LIMIT),
        (job({"backoffLimit": 1}, {"failed": 1}), [pod("a", "Failed", tracked=False)], None),
        (
            job({"backoffLimit": 1}, {"uncountedTerminatedPods": {"failed": ["a"]}}),
            [pod("a", "Failed"), pod("b", "Failed")],
            LIMIT,
        ),
        (job({"backoffLimit": 0}), [pod("a", deleting=True)], LIMIT),
        (job({"backoffLimit": 0, "podReplacementPolicy": "Failed"}), [pod("a", deleting=True)], None),
        (job({"backoffLimit": 2, **ON_FAILURE}), [pod("a", restarts=2)], LIMIT),
        (
            job({"backoffLimit": 2, **ON_FAILURE}),
            [pod("a", restarts=1), pod("b", "Pending", restarts=1)],
            LIMIT,
        ),
        (job({"backoffLimit": 2, **ON_FAILURE}), [pod("a", restarts=1)], None),
        (job({"backoffLimit": 0, **ON_FAILURE}), [pod("a", restarts=0)], None),
        (job({"backoffLimit": 2}), [pod("a", restarts=9)], None),
        (job({"activeDeadlineSeconds": 60}), [pod("a")], DEADLINE),
        (job({"activeDeadlineSeconds": 61}), [pod("a")], None),
        (job({"activeDeadlineSeconds": 60, "suspend": True}), [pod("a")], None),
        (
            job({"podFailurePolicy": rule("FailJob")}),
            [pod("a", "Failed", code=42)],
            (
                "FailureTarget",
                "PodFailurePolicy",
                "Container c for pod default/a failed with exit code 42 matching FailJob rule at index 0",
            ),
        ),
        (job({"podFailurePolicy": rule("FailJob")}), [pod("a", "Failed", code=41)], None),
        (
            job({"podFailurePolicy": ON_DISRUPTION}),
            [pod("a", "Failed", conditions=[DISRUPTED])],
            (
                "FailureTarget",
                "PodFailurePolicy",
                "Pod default/a has condition DisruptionTarget matching FailJob rule at index 0",
            ),
        ),
        (job({"podFailurePolicy": rule("Ignore"), "backoffLimit": 0}), [pod("a", "Failed", code=42)], None),
        (job({"podFailurePolicy": rule("Count"), "backoffLimit": 0}), [pod("a", "Failed", code=42)], LIMIT),
        (
            indexed(2, **PER_INDEX, maxFailedIndexes=0),
            [pod("a", "Failed", 0, failures=1)],
            (
                "FailureTarget",
                "MaxFailedIndexesExceeded",
                "Job has exceeded the specified maximal number of failed indexes",
            ),
        ),
        (indexed(2, **PER_INDEX), [pod("a", "Failed", 0, failures=0)], None),
        (indexed(2, **PER_INDEX), [pod("a", "Failed", 0, failures=1)], None),
        (
            indexed(2, **PER_INDEX),
            [pod("a", "Failed", 0, failures=1), pod("b", "Succeeded", 1)],
            ("FailureTarget", "FailedIndexes", "Job has failed indexes"),
        ),
        (
            indexed(1, **PER_INDEX, podFailurePolicy=rule("FailIndex")),
            [pod("a", "Failed", 0, failures=0, code=42)],
            ("FailureTarget", "FailedIndexes", "Job has failed indexes"),
        ),
        (
            indexed(3, successPolicy={"rules": [{"succeededIndexes": "0,2", "succeededCount": 1}]}),
            [pod("a", "Succeeded", 2)],
            ("SuccessCriteriaMet", "SuccessPolicy", "Matched rules at index 0"),
        ),
        (
            job(
                status={
                    "conditions": [{"type": "FailureTarget", "status": "True", "reason": "R", "message": "m"}]
                }
            ),
            [pod("a", "Succeeded")],
            ("FailureTarget", "R", "m"),
        ),
        (
            job(
                {"backoffLimit": 0},
                {
                    "conditions": [
                        {"type": "SuccessCriteriaMet", "status": "True", "reason": "R", "message": "m"}
                    ]
                },
            ),
            [pod("a", "Failed")],
            ("SuccessCriteriaMet", "R", "m"),
        ),
    ],
)
def test_the_verdict(a_job: Object, pods: list[Object], expected: tuple[str, str, str] | None) -> None:
    seen = facts(a_job, *pods)
    assert judge(seen, progress_of(seen)) == (Verdict(*expected) if expected else None)


def test_the_deadline_is_of_the_time_since_the_start() -> None:
    a_job = job({"activeDeadlineSeconds": 10}, {"startTime": ago(9)})
    assert judge(facts(a_job), None) is None


@pytest.mark.parametrize(
    ("rules", "succeeded", "met"),
    [
        ([{"succeededCount": 2}], [1, 5], 0),
        ([{"succeededCount": 3}], [1, 5], None),
        ([{"succeededIndexes": "1-3"}], [1, 2, 3], 0),
        ([{"succeededIndexes": "1-3"}], [1, 2, 4], None),
        ([{"succeededIndexes": "1-3", "succeededCount": 2}], [1, 2, 4], 0),
        ([{"succeededIndexes": "9"}, {"succeededCount": 1}], [0], 1),
        ([{"succeededCount": 0}], [], None),
    ],
)
def test_success_policies(rules: list[dict[str, Any]], succeeded: list[int], met: int | None) -> None:
    text = success_message({"rules": rules}, 10, Indexes.of(succeeded))
    assert text == ("" if met is None else f"Matched rules at index {met}")


@pytest.mark.parametrize(
    ("codes", "code", "fits"),
    [
        ({}, 42, True),
        ({}, 41, False),
        ({"operator": "NotIn"}, 41, True),
        ({"operator": "NotIn"}, 42, False),
        ({"operator": "NotIn"}, 0, False),
        ({"containerName": "c"}, 42, True),
        ({"containerName": "other"}, 42, False),
    ],
)
def test_exit_codes_of_failure_policies(codes: dict[str, Any], code: int, fits: bool) -> None:
    match = match_failure(rule("Ignore", **codes), pod("a", "Failed", code=code))
    assert match.action == ("Ignore" if fits else "")
    assert match.counts is not fits


def test_the_first_rule_that_fits_decides() -> None:
    policy = {"rules": [*rule("Count")["rules"], *rule("FailJob")["rules"]]}
    assert match_failure(policy, pod("a", "Failed", code=42)).action == "Count"


def test_a_condition_has_to_have_the_status_that_is_asked_for() -> None:
    policy = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "X", "status": "False"}]}]}
    assert match_failure(policy, pod("a", "Failed", conditions=[{"type": "X", "status": "True"}])).counts
    assert not match_failure(policy, pod("a", "Failed", conditions=[{"type": "X", "status": "False"}])).counts
