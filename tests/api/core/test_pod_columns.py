from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from wherry.api.core.pod_columns import POD_COLUMNS, pod_cells

NOW = datetime(2026, 1, 1, 1, 0, 0, tzinfo=UTC)
CREATED = "2026-01-01T00:00:00Z"
READY = {"type": "Ready", "status": "True"}
INITIALIZED = {"type": "Initialized", "status": "True"}


def one(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "c", "state": state, **more}


def waiting(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason}}


def ended(code: int = 0, **more: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, **more}}


RUN: dict[str, Any] = {"running": {}}
DONE = one(ended(0, reason="Completed"))


def pod(status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "creationTimestamp": CREATED},
        "spec": {"containers": [{"name": "c"}], **spec},
        "status": {"phase": "Running", **status},
    }


TWO = {"containers": [{"name": "c"}, {"name": "d"}]}
INIT = {"initContainers": [{"name": "i"}, {"name": "j"}]}
SIDECAR = {"initContainers": [{"name": "s", "restartPolicy": "Always"}]}

CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "pending": (pod({"phase": "Pending"}), ["0/1", "Pending", "0"]),
    "creating": (
        pod({"phase": "Pending", "containerStatuses": [one(waiting("ContainerCreating"))]}),
        ["0/1", "ContainerCreating", "0"],
    ),
    "running": (pod({"containerStatuses": [one(RUN, ready=True)]}), ["1/1", "Running", "0"]),
    "not ready": (pod({"containerStatuses": [one(RUN, ready=False)]}), ["0/1", "Running", "0"]),
    "crashing": (
        pod(
            {
                "containerStatuses": [
                    one(
                        waiting("CrashLoopBackOff"),
                        restartCount=2,
                        lastState=ended(1, finishedAt="2026-01-01T00:55:00Z"),
                    )
                ]
            }
        ),
        ["0/1", "CrashLoopBackOff", "2 (5m ago)"],
    ),
    "completed": (
        pod({"phase": "Succeeded", "containerStatuses": [DONE]}),
        ["0/1", "Completed", "0"],
    ),
    "error": (
        pod({"phase": "Failed", "containerStatuses": [one(ended(1, reason="Error"))]}),
        ["0/1", "Error", "0"],
    ),
    "exit code": (pod({"containerStatuses": [one(ended(3))]}), ["0/1", "ExitCode:3", "0"]),
    "signal": (pod({"containerStatuses": [one(ended(0, signal=9))]}), ["0/1", "Signal:9", "0"]),
    "one of two completed, ready": (
        pod({"conditions": [READY], "containerStatuses": [DONE, one(RUN, ready=True)]}, **TWO),
        ["1/2", "Running", "0"],
    ),
    "one of two completed, not ready": (
        pod({"containerStatuses": [DONE, one(RUN, ready=True)]}, **TWO),
        ["1/2", "NotReady", "0"],
    ),
    "first init": (
        pod({"initContainerStatuses": [{"name": "i", "state": RUN}, {"name": "j"}]}, **INIT),
        ["0/1", "Init:0/2", "0"],
    ),
    "second init": (
        pod({"initContainerStatuses": [{"name": "i", "state": ended()}, {"name": "j"}]}, **INIT),
        ["0/1", "Init:1/2", "0"],
    ),
    "init crashing": (
        pod(
            {
                "initContainerStatuses": [
                    {"name": "i", "state": waiting("CrashLoopBackOff"), "restartCount": 1},
                    {"name": "j"},
                ]
            },
            **INIT,
        ),
        ["0/1", "Init:CrashLoopBackOff", "1"],
    ),
    "init failed": (
        pod({"initContainerStatuses": [{"name": "i", "state": ended(1, reason="Error")}]}, **INIT),
        ["0/1", "Init:Error", "0"],
    ),
    "init exit code": (
        pod({"initContainerStatuses": [{"name": "i", "state": ended(7)}]}, **INIT),
        ["0/1", "Init:ExitCode:7", "0"],
    ),
    "init signal": (
        pod({"initContainerStatuses": [{"name": "i", "state": ended(137, signal=9)}]}, **INIT),
        ["0/1", "Init:Signal:9", "0"],
    ),
    "after init, restarts of init do not count": (
        pod(
            {
                "conditions": [INITIALIZED],
                "initContainerStatuses": [
                    {"name": "i", "state": ended(), "restartCount": 4},
                    {"name": "j", "state": ended()},
                ],
                "containerStatuses": [one(waiting("PodInitializing"))],
            },
            **INIT,
        ),
        ["0/1", "PodInitializing", "0"],
    ),
    "sidecar": (
        pod(
            {
                "conditions": [INITIALIZED],
                "initContainerStatuses": [
                    {"name": "s", "state": RUN, "started": True, "ready": True, "restartCount": 1}
                ],
                "containerStatuses": [one(RUN, ready=True)],
            },
            **SIDECAR,
        ),
        ["2/2", "Running", "1"],
    ),
    "gated": (
        pod(
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
            }
        ),
        ["0/1", "SchedulingGated", "0"],
    ),
    "evicted": (pod({"phase": "Failed", "reason": "Evicted"}), ["0/1", "Evicted", "0"]),
}


@pytest.mark.parametrize(("obj", "expected"), CASES.values(), ids=CASES.keys())
def test_ready_status_restarts(obj: dict[str, Any], expected: list[str]) -> None:
    assert pod_cells(obj, NOW)[1:4] == expected


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({}, "Terminating"),
        ({"phase": "Succeeded"}, "Succeeded"),
        ({"reason": "NodeLost"}, "Unknown"),
    ],
)
def test_being_deleted(status: dict[str, Any], word: str) -> None:
    obj = pod(status)
    obj["metadata"]["deletionTimestamp"] = CREATED
    assert pod_cells(obj, NOW)[2] == word


def test_wide() -> None:
    gates = {"readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}], "nodeName": "n1"}
    conditions = [{"type": "a", "status": "True"}]
    row = pod_cells(pod({"conditions": conditions, "podIPs": [{"ip": "10.0.0.1"}]}, **gates), NOW)
    assert row[4:] == ["60m", "10.0.0.1", "n1", "<none>", "1/2"]
    bare = pod_cells(pod({}), NOW)
    assert bare[5:] == ["<none>"] * 4
    assert len(row) == len(bare) == len(POD_COLUMNS)
