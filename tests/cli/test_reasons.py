"""What is said of a pod, by the facts: a table of what goes wrong, from a quota to a finalizer."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.cli.reasons import Facts, Reason, find_reasons
from wherry.objects.meta import Object

NODE = {"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
NOT_READY = {
    "metadata": {"name": "n"},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."},
            {"type": "DiskPressure", "status": "True", "message": "disk is low"},
        ]
    },
}


def pod(*, node: str = "n", spec: Object | None = None, meta: Object | None = None, **status: Any) -> Object:
    return {
        "metadata": {"name": "web", "namespace": "ns", "uid": "u", **(meta or {})},
        "spec": {"containers": [{"name": "c"}], **({"nodeName": node} if node else {}), **(spec or {})},
        "status": {"phase": "Pending", **status},
    }


def waiting(reason: str, message: str = "", **more: Any) -> Object:
    return {"name": "c", "state": {"waiting": {"reason": reason, "message": message}}, **more}


def event(reason: str, message: str, *, kind: str = "Pod", name: str = "web", path: str = "") -> Object:
    return {
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": kind, "name": name, "fieldPath": path},
    }


def told(made: Object | None, **facts: Any) -> tuple[str, list[Reason]]:
    answer = find_reasons(Facts(namespace="ns", name="web", pod=made, **{"node": NODE, **facts}))
    return answer.headline, list(answer.reasons)


RUNNING = {"name": "c", "ready": True, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
READY = [{"type": "Ready", "status": "True"}]
KILLED = {"exitCode": 137}
OOM = {"exitCode": 137, "reason": "OOMKilled"}
QUOTA = 'pods "web-1" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1'


@pytest.mark.parametrize(
    ("made", "facts", "headline", "what", "why", "remedy"),
    [
        (None, {}, "is not there", "pod", "there is no pod of that name", ""),
        (
            None,
            {"events": [event("FailedCreate", QUOTA, kind="ReplicaSet", name="web")]},
            "is not there",
            "ReplicaSet web",
            QUOTA,
            "raise the quota",
        ),
        (
            None,
            {"events": [event("FailedCreate", 'violates PodSecurity "restricted:latest"', kind="Job")]},
            "is not there",
            "Job web",
            "violates PodSecurity",
            "loosen what namespace ns",
        ),
        (
            pod(node="", spec={"schedulingGates": [{"name": "example.com/hold"}]}),
            {},
            "does not run yet",
            "scheduling gates",
            "example.com/hold hold it back",
            "whoever set them",
        ),
        (
            pod(
                node="",
                conditions=[
                    {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient cpu."}
                ],
            ),
            {"decision": {"changes": [{"steps": [{"change": "request 1 cpu"}]}]}},
            "does not run yet",
            "scheduler",
            "Insufficient cpu",
            "wherry explain pod web -n ns",
        ),
        (
            pod(node="", spec={"schedulerName": "mine"}),
            {},
            "does not run yet",
            "scheduler",
            "mine has not looked at it",
            "see whether",
        ),
        (pod(node=""), {"claims": {"data": None}}, "does not run yet", "claim data", "no such", "create it"),
        (
            pod(node=""),
            {"claims": {"data": {"status": {"phase": "Pending"}}}},
            "does not run yet",
            "claim data",
            "it is Pending",
            "describe pvc data",
        ),
        (pod(), {"node": None}, "does not run yet on n", "node n", "no such node", "removed"),
        (
            pod(),
            {"node": NOT_READY},
            "does not run yet",
            "node n",
            "Kubelet stopped posting",
            "describe node",
        ),
        (pod(), {"node": NOT_READY}, "does not run yet", "node n", "DiskPressure: disk is low", "make room"),
        (
            pod(containerStatuses=[waiting("ContainerCreating")]),
            {"events": [event("FailedMount", 'configmap "x" not found')]},
            "does not run yet",
            "volumes",
            'configmap "x" not found',
            "mend the volume",
        ),
        (
            pod(),
            {"events": [event("FailedCreatePodSandBox", "no addresses left")]},
            "does not run yet",
            "sandbox",
            "no addresses left",
            "wherry logs agent",
        ),
        (
            pod(containerStatuses=[waiting("ImagePullBackOff", 'Back-off pulling image "x"')]),
            {},
            "does not run yet",
            "container c",
            "ImagePullBackOff: Back-off pulling",
            "check the image's name",
        ),
        (
            pod(containerStatuses=[waiting("CreateContainerConfigError", 'secret "s" not found')]),
            {},
            "does not run yet",
            "container c",
            'secret "s" not found',
            "create what the message names",
        ),
        (
            pod(
                phase="Running",
                containerStatuses=[
                    waiting("CrashLoopBackOff", lastState={"terminated": {"exitCode": 127}}, restartCount=4)
                ],
            ),
            {},
            "keeps ending on n",
            "container c",
            (
                "it ended 4 times and waits before the next try; it ended with exit code 127: the program "
                "was not"
            ),
            "kubectl logs web -n ns -c c --previous",
        ),
        (
            pod(
                phase="Running",
                containerStatuses=[
                    waiting("CrashLoopBackOff", lastState={"terminated": OOM}, restartCount=1)
                ],
            ),
            {},
            "keeps ending on n",
            "container c",
            "more memory than its limit",
            "raise its memory limit",
        ),
        (
            pod(
                initContainerStatuses=[
                    {"name": "i", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
                ]
            ),
            {},
            "does not run yet",
            "init container i",
            "has not ended yet",
            "kubectl logs web -n ns -c i",
        ),
        (
            pod(phase="Running", containerStatuses=[{**RUNNING, "ready": False}]),
            {
                "events": [
                    event("Unhealthy", "Readiness probe failed: HTTP 503", path="spec.containers{c}"),
                    event("Unhealthy", "Liveness probe failed", path="spec.containers{other}"),
                ]
            },
            "is not ready",
            "container c",
            "Readiness probe failed: HTTP 503",
            "kubectl logs",
        ),
        (
            pod(phase="Running", containerStatuses=[{**RUNNING, "ready": False}]),
            {},
            "is not ready",
            "container c",
            "probes have not succeeded yet",
            "wait",
        ),
        (
            pod(
                phase="Running",
                spec={"readinessGates": [{"conditionType": "example.com/up"}]},
                containerStatuses=[RUNNING],
            ),
            {},
            "is not ready",
            "readiness gate example.com/up",
            "not True",
            "whoever sets it",
        ),
        (
            pod(
                phase="Running",
                containerStatuses=[RUNNING],
                conditions=[
                    *READY,
                    {"type": "PodResizePending", "status": "True", "reason": "Deferred", "message": "no cpu"},
                ],
            ),
            {},
            "runs on n",
            "resize",
            "Deferred: no cpu",
            "",
        ),
        (
            pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
            {},
            "has failed on n",
            "Evicted",
            "low on resource",
            "make room",
        ),
        (
            pod(
                phase="Failed", containerStatuses=[{"name": "c", "state": {"terminated": {"exitCode": 137}}}]
            ),
            {},
            "has failed on n",
            "container c",
            "signal 9 ended it",
            "see its log",
        ),
        (
            pod(meta={"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}),
            {},
            "is ending on n",
            "finalizers",
            "a/b must be removed",
            "see whether",
        ),
        (
            pod(meta={"deletionTimestamp": "2026-01-01T00:00:00Z"}, containerStatuses=[RUNNING]),
            {"now": "2026-01-01T00:01:00Z"},
            "is ending on n",
            "containers",
            "c run on past the grace period",
            "see the node",
        ),
    ],
)
def test_what_is_said(
    made: Object | None, facts: dict[str, Any], headline: str, what: str, why: str, remedy: str
) -> None:
    said, reasons = told(made, **facts)
    assert headline in said
    matching = [r for r in reasons if r.what == what and why in r.why]
    assert matching, reasons
    assert remedy in matching[0].try_


def test_nothing_is_said_of_a_pod_that_is_well() -> None:
    assert told(pod(phase="Running", containerStatuses=[RUNNING], conditions=READY)) == (
        "ns/web runs and is ready on n",
        [],
    )
    assert told(pod(phase="Succeeded")) == ("ns/web has ended well on n", [])


def test_what_is_over_is_not_told() -> None:
    """Once a container ran, volumes and sandbox have been there."""
    events = [event("FailedMount", "it was not there yet"), event("FailedCreatePodSandBox", "no network yet")]
    _, reasons = told(pod(phase="Running", containerStatuses=[RUNNING], conditions=READY), events=events)
    assert reasons == []


def test_long_messages_are_cut() -> None:
    """In whole words, and with their end: what others said, the cause, stands there."""
    words = [f"word{number}" for number in range(500)]
    _, (reason,) = told(pod(containerStatuses=[waiting("ErrImagePull", " ".join(words))]))
    assert len(reason.why) < 350
    assert set(reason.why.removeprefix("ErrImagePull: ").split()) <= {*words, "..."}
    assert reason.why.endswith(" word499")
    _, (reason,) = told(pod(containerStatuses=[waiting("ErrImagePull", "x" * 1000)]))
    assert len(reason.why) < 350
    assert "wherry image load" in reason.try_


@pytest.mark.parametrize("reason", ["StartError", "ContainerCannotRun"])
def test_nobody_is_sent_to_the_log_of_what_never_ran(reason: str) -> None:
    ended = {"exitCode": 128, "reason": reason, "message": 'exec: "nosuch": executable file not found'}
    looping = waiting("CrashLoopBackOff", restartCount=2, lastState={"terminated": ended})
    _, (told_of,) = told(pod(phase="Running", containerStatuses=[looping]))
    assert "it could not be started: exec:" in told_of.why
    assert told_of.try_ == "check the container's command: the program must be in the image"


def test_a_name_that_is_no_pods_says_whose_it_is() -> None:
    alike = [f"web-{number}" for number in range(9)]
    _, (reason,) = told(None, workloads=["deployment"], alike=alike)
    assert reason.why == "there is no pod of that name; it is a deployment"
    assert reason.try_.startswith("wherry explain deployment web -n ns; or wherry why pod web-0 -n ns")
    assert "web-3" not in reason.try_
    _, (reason,) = told(None)
    assert reason.try_ == "kubectl get pods -n ns"
