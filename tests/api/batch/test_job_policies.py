"""Which failures and successes of pods decide a job, and the numbers of an indexed one."""

from typing import Any

import pytest

from tests.api.batch.test_jobs import POD, job
from tests.api.objects import create, update
from wherry.api.batch.jobs import JOBS

INDEXED = {"completionMode": "Indexed", "completions": 5, "parallelism": 2}


def failing(**rule: Any) -> dict[str, Any]:
    return {"podFailurePolicy": {"rules": [{"action": "Ignore", **rule}]}}


def codes(**more: Any) -> dict[str, Any]:
    return {"onExitCodes": {"operator": "In", "values": [1], **more}}


def succeeding(*rules: dict[str, Any]) -> dict[str, Any]:
    return {**INDEXED, "successPolicy": {"rules": list(rules)}}


RULE = "spec.podFailurePolicy.rules[0]"
SUCCESS = "spec.successPolicy.rules"


@pytest.mark.parametrize(
    ("spec", "texts"),
    [
        (failing(**codes()), []),
        (failing(onPodConditions=[{"type": "DisruptionTarget"}]), []),
        (
            failing(),
            [f"{RULE}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"],
        ),
        (
            failing(**codes(), onPodConditions=[{"type": "A"}]),
            [f"{RULE}: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"],
        ),
        (
            failing(**codes(), action=""),
            [f'{RULE}.action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]'],
        ),
        (
            failing(**codes(), action="Cry"),
            [
                (
                    f'{RULE}.action: Unsupported value: "Cry": supported values: '
                    '"Count", "FailIndex", "FailJob", "Ignore"'
                )
            ],
        ),
        (
            failing(**codes(), action="FailIndex"),
            [f'{RULE}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set'],
        ),
        (
            failing(**codes(containerName="x")),
            [
                (
                    f'{RULE}.onExitCodes.containerName: Invalid value: "x": '
                    "must be one of the container or initContainer names in the pod template"
                )
            ],
        ),
        (
            failing(**codes(values=[0, 2, 2, 1])),
            [
                f"{RULE}.onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator",
                f"{RULE}.onExitCodes.values[2]: Duplicate value: 2",
                f"{RULE}.onExitCodes.values: Invalid value: [0,2,2,1]: must be ordered",
            ],
        ),
        (
            failing(**codes(values=[])),
            [f"{RULE}.onExitCodes.values: Invalid value: []: at least one value is required"],
        ),
        (
            {**failing(**codes()), "podReplacementPolicy": "TerminatingOrFailed"},
            [
                (
                    'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": '
                    'supported values: "Failed"'
                )
            ],
        ),
        (
            {**failing(**codes()), "template": {"spec": {**POD, "restartPolicy": "OnFailure"}}},
            [
                (
                    'spec.template.spec.restartPolicy: Invalid value: "OnFailure": '
                    'only "Never" is supported when podFailurePolicy is specified'
                )
            ],
        ),
        (succeeding({"succeededIndexes": "0,2-3", "succeededCount": 2}), []),
        (
            succeeding(),
            [
                (
                    f"{SUCCESS}: Required value: "
                    "at least one rules must be specified when the successPolicy is specified"
                )
            ],
        ),
        (
            succeeding({}),
            [
                (
                    f"{SUCCESS}[0]: Required value: "
                    "at least one of succeededCount or succeededIndexes must be specified"
                )
            ],
        ),
        (
            succeeding({"succeededIndexes": "0-9"}),
            [
                (
                    f'{SUCCESS}[0].succeededIndexes: Invalid value: "0-9": '
                    'error parsing succeededIndexes: too large index: "9"'
                )
            ],
        ),
        (
            succeeding({"succeededCount": 6}),
            [
                (
                    f"{SUCCESS}[0].succeededCount: Invalid value: 6: "
                    "must be less than or equal to 5 (the number of specified completions)"
                )
            ],
        ),
        (
            {"successPolicy": {"rules": [{"succeededCount": 1}]}},
            [
                (
                    'spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: '
                    "requires indexed completion mode"
                )
            ],
        ),
        (
            {"maxFailedIndexes": 1},
            [
                "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
                "spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode",
            ],
        ),
        (
            {**INDEXED, "backoffLimitPerIndex": 1, "maxFailedIndexes": 9},
            ["spec.maxFailedIndexes: Invalid value: 9: must be less than or equal to completions"],
        ),
        (
            {**INDEXED, "parallelism": 100_001},
            [
                (
                    "spec.parallelism: Invalid value: 100001: "
                    "must be less than or equal to 100000 when completion mode is Indexed"
                )
            ],
        ),
        (
            {"managedBy": "me"},
            [('spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")')],
        ),
    ],
)
def test_specs(spec: dict[str, Any], texts: list[str]) -> None:
    assert create(JOBS, job(**spec))[1] == texts


def test_labels_of_other_jobs_are_refused() -> None:
    template = {"metadata": {"labels": {"job-name": "other"}}, "spec": dict(POD)}
    assert create(JOBS, job(template=template))[1][0].startswith(
        "spec.template.metadata.labels[job-name]: Invalid value: "
    )


def test_scheduling_is_free_until_the_first_start() -> None:
    old, _ = create(JOBS, job(suspend=True))
    template = old["spec"]["template"]
    moved = {**template, "spec": {**template["spec"], "nodeSelector": {"a": "b"}}}
    new = {**old, "spec": {**old["spec"], "template": moved}}
    assert update(JOBS, old, new)[1] == []
    started = {**old, "status": {"startTime": "2026-01-01T00:00:00Z"}}
    (text,) = update(JOBS, started, new)[1]
    assert text.startswith("spec.template: Invalid value: ")
    assert text.endswith(": field is immutable")


def test_indexed_jobs_grow_in_tandem() -> None:
    old, _ = create(JOBS, job(**INDEXED))
    assert update(JOBS, old, {**old, "spec": {**old["spec"], "completions": 9, "parallelism": 9}})[1] == []
    assert update(JOBS, old, {**old, "spec": {**old["spec"], "completions": 9}})[1] == [
        "spec.completions: Invalid value: 9: can only be modified in tandem with spec.parallelism"
    ]
