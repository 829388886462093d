"""The status of a job, and how it may go on."""

from typing import Any

import pytest

from tests.api.batch.test_jobs import stored
from wherry.api.batch.jobs import JOBS

START, END = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"


def conditions(*types: str) -> list[dict[str, str]]:
    return [{"type": kind, "status": "True"} for kind in types]


DONE = {"startTime": START, "completionTime": END, "conditions": conditions("SuccessCriteriaMet", "Complete")}


@pytest.mark.parametrize(
    ("before", "status", "texts"),
    [
        ({}, {"active": 1, "ready": 1, "startTime": START}, []),
        ({"startTime": START}, {**DONE, "succeeded": 1}, []),
        ({}, {"active": -1}, ["status.active: Invalid value: -1: must be greater than or equal to 0"]),
        (
            {},
            {**DONE, "conditions": conditions("Complete")},
            [
                (
                    "status.conditions: Invalid value: "
                    "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
                )
            ],
        ),
        (
            {},
            {"startTime": START, "conditions": conditions("Failed")},
            [
                (
                    "status.conditions: Invalid value: "
                    "cannot set Failed=True condition without the FailureTarget=true condition"
                )
            ],
        ),
        (
            {},
            {**DONE, "active": 1},
            ["status.active: Invalid value: 1: active>0 is invalid for finished job"],
        ),
        (
            {},
            {**DONE, "startTime": END, "completionTime": START},
            [
                (
                    f'status.completionTime: Invalid value: "{START}": '
                    "completionTime cannot be set before startTime"
                )
            ],
        ),
        (
            DONE,
            {**DONE, "completionTime": START},
            [f'status.completionTime: Invalid value: "{START}": completionTime cannot be mutated'],
        ),
        (
            {"failed": 2},
            {"failed": 1},
            ["status.failed: Invalid value: 1: cannot decrease the failed counter"],
        ),
        (
            {"startTime": START},
            {},
            ["status.startTime: Required value: startTime cannot be removed for unsuspended job"],
        ),
        (
            {},
            {"completedIndexes": "0"},
            [
                (
                    'status.completedIndexes: Invalid value: "0": '
                    "cannot set non-empty completedIndexes when non-indexed completion mode"
                )
            ],
        ),
        (
            {},
            {"active": 1, "ready": 2},
            ["status.ready: Invalid value: 2: cannot set more ready pods than active"],
        ),
        (
            {},
            {"uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}},
            [
                'status.uncountedTerminatedPods.succeeded[1]: Invalid value: "": must not be empty',
                'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"',
            ],
        ),
    ],
)
def test_statuses(before: dict[str, Any], status: dict[str, Any], texts: list[str]) -> None:
    old = {**stored(), "status": before}
    errors = JOBS.strategy.validate_status({**old, "status": status}, old)
    assert [str(error) for error in errors] == texts
