"""What the API server is told, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kubelet.builders import ended, make_pod, running, sandbox, seen
from wherry.kubelet.container_status import Waiting
from wherry.kubelet.observation import Health, Observation
from wherry.kubelet.status import Facts, pod_status
from wherry.kubelet.status_writer import diff_status
from wherry.objects.meta import Object

WEB: Object = {"name": "web", "image": "i:1"}
INIT: Object = {"name": "init", "image": "i:1"}
SIDE: Object = {"name": "side", "image": "i:1", "restartPolicy": "Always"}
READY_WEB: Object = {**WEB, "readinessProbe": {"exec": {}}}
NOW_TEXT = "2026-01-01T12:00:00Z"


def status(pod: Object, what: Observation, **facts: Any) -> Object:
    return pod_status(pod, what, Facts(now=NOW_TEXT, host_ips=["192.0.2.1"], **facts))


def conditions(found: Object) -> dict[str, tuple[str, str, str]]:
    return {c["type"]: (c["status"], c.get("reason", ""), c.get("message", "")) for c in found["conditions"]}


PHASES: list[tuple[str, Object, Observation, dict[str, Any], str]] = [
    ("nothing yet", make_pod(WEB), Observation(), {}, "Pending"),
    ("running", make_pod(WEB), seen(running("web")), {}, "Running"),
    ("init", make_pod(WEB, initContainers=[INIT]), seen(running("init")), {}, "Pending"),
    ("init done", make_pod(WEB, initContainers=[INIT]), seen(ended("init", 0)), {}, "Pending"),
    (
        "init failed",
        make_pod(WEB, initContainers=[INIT], restartPolicy="Never"),
        seen(ended("init", 1)),
        {},
        "Failed",
    ),
    ("succeeded", make_pod(WEB, restartPolicy="Never"), seen(ended("web", 0)), {}, "Succeeded"),
    ("failed", make_pod(WEB, restartPolicy="Never"), seen(ended("web", 1)), {}, "Failed"),
    ("crashing", make_pod(WEB), seen(ended("web", 1)), {}, "Running"),
    (
        "sidecar still up",
        make_pod(WEB, initContainers=[SIDE], restartPolicy="Never"),
        seen(running("side"), ended("web", 0)),
        {},
        "Running",
    ),
    ("stopped for good", make_pod(WEB), seen(ended("web", 0)), {"ended": True}, "Succeeded"),
    ("stopped by force", make_pod(WEB), seen(ended("web", 137)), {"ended": True}, "Failed"),
    ("never started", make_pod(WEB), Observation(), {"ended": True}, "Failed"),
    ("evicted", make_pod(WEB), seen(ended("web", 0)), {"ended": True, "failed": True}, "Failed"),
]


@pytest.mark.parametrize(
    ("pod", "what", "facts", "phase"), [c[1:] for c in PHASES], ids=[c[0] for c in PHASES]
)
def test_phase(pod: Object, what: Observation, facts: dict[str, Any], phase: str) -> None:
    assert status(pod, what, **facts)["phase"] == phase


def test_new_pod() -> None:
    found = status(make_pod(WEB), Observation())
    assert found["containerStatuses"] == [
        {
            "name": "web",
            "state": {"waiting": {"reason": "ContainerCreating"}},
            "lastState": {},
            "ready": False,
            "restartCount": 0,
            "image": "i:1",
            "imageID": "",
            "started": False,
        }
    ]
    unready = ("False", "ContainersNotReady", "containers with unready status: [web]")
    assert conditions(found) == {
        "PodReadyToStartContainers": ("False", "", ""),
        "Initialized": ("True", "", ""),
        "Ready": unready,
        "ContainersReady": unready,
    }
    assert "podIP" not in found


def test_running_pod() -> None:
    found = status(make_pod(WEB), seen(running("web", 2), ended("web", 3, 1)))
    container = found["containerStatuses"][0]
    assert container["ready"]
    assert container["restartCount"] == 2
    assert container["image"] == "docker.io/library/i:1"
    assert container["lastState"]["terminated"]["exitCode"] == 3
    assert container["lastState"]["terminated"]["reason"] == "Error"
    assert {name: c[0] for name, c in conditions(found).items()} == dict.fromkeys(conditions(found), "True")
    assert found["podIPs"] == [{"ip": "10.0.0.1"}]
    assert found["observedGeneration"] == 1


@pytest.mark.parametrize(("ready", "expected"), [(frozenset(), False), (frozenset({"web-0"}), True)])
def test_readiness_probe_decides(ready: frozenset[str], expected: bool) -> None:
    found = status(make_pod(READY_WEB), seen(running("web")), health=Health(ready=ready))
    assert found["containerStatuses"][0]["ready"] is expected


def test_crash_loop() -> None:
    waits = Waiting("CrashLoopBackOff", "back-off 10s")
    found = status(make_pod(WEB), seen(ended("web", 1, reason="OOMKilled")), waiting={"web": waits})
    container = found["containerStatuses"][0]
    assert container["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    assert container["lastState"]["terminated"]["reason"] == "OOMKilled"


def test_uninitialized_pod_names_what_is_missing() -> None:
    found = status(make_pod(WEB, initContainers=[INIT, SIDE]), seen(running("init")))
    assert conditions(found)["Initialized"] == (
        "False",
        "ContainersNotInitialized",
        "containers with incomplete status: [init side]",
    )
    assert found["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"


def test_readiness_gates() -> None:
    pod = make_pod(WEB, readinessGates=[{"conditionType": "a/b"}, {"conditionType": "c/d"}])
    pod["status"] = {"conditions": [{"type": "c/d", "status": "False"}]}
    assert conditions(status(pod, seen(running("web"))))["Ready"] == (
        "False",
        "ReadinessGatesNotReady",
        (
            'corresponding condition of pod readiness gate "a/b" does not exist., '
            'the status of pod readiness gate "c/d" is not "True", but False'
        ),
    )


@pytest.mark.parametrize(
    ("code", "phase", "reason"), [(0, "Succeeded", "PodCompleted"), (1, "Failed", "PodFailed")]
)
def test_pod_that_ended(code: int, phase: str, reason: str) -> None:
    found = status(make_pod(WEB, restartPolicy="Never"), seen(ended("web", code)), ended=True)
    assert found["phase"] == phase
    assert conditions(found)["Ready"] == ("False", reason, "")


def test_reason_and_message_of_a_failure() -> None:
    facts = {"ended": True, "failed": True, "reason": "DeadlineExceeded", "message": "too long"}
    found = status(make_pod(WEB), seen(ended("web", 0)), **facts)
    assert (found["phase"], found["reason"], found["message"]) == ("Failed", "DeadlineExceeded", "too long")


def test_lost_container_is_unknown() -> None:
    found = status(make_pod(WEB), Observation(), ended=True)
    end = found["containerStatuses"][0]["state"]["terminated"]
    assert (end["reason"], end["exitCode"]) == ("ContainerStatusUnknown", 137)


def test_transition_times_stay() -> None:
    pod = make_pod(READY_WEB)
    old = [{"type": "Ready", "status": "False", "lastTransitionTime": "2025-01-01T00:00:00Z"}]
    pod["status"] = {"conditions": old, "startTime": "2025-01-01T00:00:00Z"}
    found = status(pod, seen(running("web")))
    ready = next(c for c in found["conditions"] if c["type"] == "Ready")
    assert ready["lastTransitionTime"] == "2025-01-01T00:00:00Z"
    assert found["startTime"] == "2025-01-01T00:00:00Z"


def test_host_network_pod_has_the_nodes_address() -> None:
    pod = make_pod(WEB, hostNetwork=True)
    found = status(pod, seen(running("web"), boxes=(sandbox(ip=""),)))
    assert found["podIP"] == "192.0.2.1"


DIFFS: list[tuple[Object, Object, Object]] = [
    ({}, {"phase": "Pending"}, {"phase": "Pending"}),
    ({"phase": "Pending"}, {"phase": "Pending"}, {}),
    (
        {"podIPs": [{"ip": "1"}]},
        {"podIPs": [{"ip": "2"}]},
        {"podIPs": [{"$patch": "replace"}, {"ip": "2"}]},
    ),
    ({"podIP": "1", "qosClass": "Burstable"}, {}, {"podIP": None}),
    (
        {
            "conditions": [
                {"type": "Ready", "status": "False", "reason": "X"},
                {"type": "mine", "status": "True"},
            ]
        },
        {"conditions": [{"type": "Ready", "status": "True"}]},
        {"conditions": [{"type": "Ready", "status": "True", "reason": None}]},
    ),
    (
        {"conditions": [{"type": "Ready", "status": "True", "lastProbeTime": None}]},
        {"conditions": [{"type": "Ready", "status": "True"}]},
        {},
    ),
]


@pytest.mark.parametrize(("known", "wanted", "patch"), DIFFS)
def test_only_differences_are_written(known: Object, wanted: Object, patch: Object) -> None:
    assert diff_status(known, wanted) == patch
