"""Tokens, logs, bindings, scales, status and the rest below an object: wrong requests above all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.conformance.asking import DEPLOYMENTS, PODS, deployment, failure, refusal
from tests.apiserver.rig import Rig, account, pod

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
TOKEN = f"{ACCOUNTS}/default/token"


@pytest.fixture(autouse=True)
async def service_account(rig: Rig) -> None:
    await rig.http("POST", ACCOUNTS, account())


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            {"spec": {"expirationSeconds": 599}},
            (
                422,
                "Invalid",
                (
                    'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: '
                    "Invalid value: 599: "
                    "may not specify a duration less than 10 minutes"
                ),
            ),
        ),
        (
            {"spec": {"expirationSeconds": (1 << 32) + 1}},
            (
                422,
                "Invalid",
                (
                    'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: '
                    "Invalid value: "
                    "4294967297: may not specify a duration larger than 2^32 seconds"
                ),
            ),
        ),
        (
            {"metadata": {"name": "other"}, "spec": {}},
            (
                422,
                "Invalid",
                (
                    'TokenRequest.authentication.k8s.io "default" is invalid: metadata.name: '
                    'Invalid value: "other": '
                    "must match the service account name if specified"
                ),
            ),
        ),
        (
            {"spec": {"boundObjectRef": {"kind": "Job", "apiVersion": "batch/v1", "name": "j"}}},
            (400, "BadRequest", "cannot bind token to object of type batch/v1, Kind=Job"),
        ),
        (
            {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "none"}}},
            (404, "NotFound", 'pods "none" not found'),
        ),
        (
            {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": "u"}}},
            (
                409,
                "Conflict",
                (
                    'Operation cannot be fulfilled on Pod "p": the UID in the bound object '
                    "reference (u) does not "
                    "match the UID in record. The object might have been deleted and then recreated"
                ),
            ),
        ),
        (
            {"spec": {"expirationSeconds": "x"}},
            (
                400,
                "BadRequest",
                (
                    'TokenRequest in version "v1" cannot be handled as a TokenRequest: json: '
                    "cannot unmarshal string "
                    "into Go struct field TokenRequestSpec.spec.expirationSeconds of type int64"
                ),
            ),
        ),
    ],
)
async def test_refused_tokens(rig: Rig, request_: Any, expected: tuple[int, str, str]) -> None:
    await rig.http("POST", PODS, pod("p"))
    assert await refusal(rig, "POST", TOKEN, request_) == expected


async def test_a_token_answers_what_was_asked(rig: Rig) -> None:
    status, answer, _ = await rig.http(
        "POST", TOKEN, {"spec": {"audiences": ["a"], "expirationSeconds": 600}}
    )
    assert status == 201
    assert (answer["kind"], answer["apiVersion"]) == ("TokenRequest", "authentication.k8s.io/v1")
    assert answer["spec"]["audiences"] == ["a"]
    assert answer["spec"]["expirationSeconds"] == 600
    assert answer["metadata"]["name"] == "default"
    assert answer["metadata"]["creationTimestamp"]
    assert answer["status"].keys() == {"token", "expirationTimestamp"}
    _, answer, _ = await rig.http("POST", TOKEN, {"spec": {}})
    assert answer["spec"]["expirationSeconds"] == 3600
    assert answer["spec"]["audiences"] == ["https://kubernetes.default.svc.cluster.local"]


INVALID_LOG = 'PodLogOptions "p" is invalid: '


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("tailLines=-1", "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ("limitBytes=0", "limitBytes: Invalid value: 0: must be greater than 0"),
        ("sinceSeconds=0", "sinceSeconds: Invalid value: 0: must be greater than 0"),
        (
            "sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z",
            ": Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
        ),
        ("stream=Both", 'stream: Unsupported value: "Both": supported values: "All", "Stderr", "Stdout"'),
        (
            "stream=Stdout&tailLines=1",
            ": Forbidden: `tailLines` and specific `stream` are mutually exclusive for now",
        ),
    ],
)
async def test_refused_log_options(rig: Rig, query: str, complaint: str) -> None:
    await rig.http("POST", PODS, pod("p"))
    found = await refusal(rig, "GET", f"{PODS}/p/log?{query}")
    assert found == (422, "Invalid", INVALID_LOG + complaint)


async def test_which_container(rig: Rig) -> None:
    two = [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]
    await rig.http("POST", PODS, pod("p", containers=two, initContainers=[{"name": "c", "image": "i"}]))
    choose = "a container name must be specified for pod p, choose one of: [a b]"
    choose += " or one of the init containers: [c]"
    assert await refusal(rig, "GET", f"{PODS}/p/log") == (400, "BadRequest", choose)
    assert await refusal(rig, "POST", f"{PODS}/p/exec?command=x&stdout=1") == (400, "BadRequest", choose)
    for path in ("log?container=x", "exec?container=x&command=x&stdout=1", "attach?container=x&stdout=1"):
        method = "GET" if path.startswith("log") else "POST"
        found = await refusal(rig, method, f"{PODS}/p/{path}")
        assert found == (400, "BadRequest", "container x is not valid for pod p")
    for path in ("exec?container=a&command=x&stdout=1", "attach?container=a&stdout=1", "portforward"):
        found = await refusal(rig, "POST", f"{PODS}/p/{path}")
        assert found == (400, "BadRequest", "pod p does not have a host assigned")
    # A pod that is on no node yet has an empty log.
    assert (await rig.http("GET", f"{PODS}/p/log?container=a"))[:2] == (200, "")


async def test_bindings(rig: Rig) -> None:
    await rig.http("POST", PODS, pod("p"))
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    status, answer, _ = await rig.http("POST", f"{PODS}/p/binding", binding)
    assert (status, answer["status"], answer["code"]) == (201, "Success", 201)
    code, reason, message = await refusal(rig, "POST", f"{PODS}/p/binding", binding)
    assert (code, reason) == (409, "Conflict")
    assert message == (
        'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n"'
    )
    found = await refusal(rig, "POST", f"{PODS}/none/binding", binding)
    assert found[0] in (400, 404)


async def test_scale(rig: Rig) -> None:
    await rig.http("POST", DEPLOYMENTS, deployment(replicas=2))
    _, scale, _ = await rig.http("GET", f"{DEPLOYMENTS}/web/scale")
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 0, "selector": "app=web"}
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    scale["spec"]["replicas"] = -1
    code, reason, message = await refusal(rig, "PUT", f"{DEPLOYMENTS}/web/scale", scale)
    assert (code, reason) == (422, "Invalid")
    assert message.endswith("spec.replicas: Invalid value: -1: must be greater than or equal to 0")
    assert (await refusal(rig, "GET", f"{DEPLOYMENTS}/none/scale"))[2] == 'deployments.apps "none" not found'


async def test_status_alone(rig: Rig) -> None:
    await rig.http("POST", DEPLOYMENTS, deployment(replicas=2))
    body = {**deployment(replicas=5), "status": {"observedGeneration": 3}}
    body["metadata"]["labels"] = {"x": "y"}
    status, answer, _ = await rig.http("PUT", f"{DEPLOYMENTS}/web/status", body)
    assert status == 200
    assert answer["spec"]["replicas"] == 2
    assert answer["status"]["observedGeneration"] == 3
    assert answer["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", f"{DEPLOYMENTS}/web/status", 405),
        ("DELETE", f"{DEPLOYMENTS}/web/scale", 405),
        ("GET", f"{DEPLOYMENTS}/web/nothing", 404),
        ("GET", f"{PODS}/p/binding", 405),
        ("GET", f"{PODS}/p/eviction", 405),
        ("PUT", f"{PODS}/p/log", 405),
    ],
)
async def test_verbs_that_are_not_there(rig: Rig, method: str, path: str, code: int) -> None:
    status, answer, _ = await rig.http(method, path, {} if method != "GET" else None)
    assert status == code
    assert failure(answer)[1] == ("MethodNotAllowed" if code == 405 else "NotFound")


async def test_finalizing_a_namespace(rig: Rig) -> None:
    await rig.http("POST", "/api/v1/namespaces", {"metadata": {"name": "x"}})
    _, going, _ = await rig.http("DELETE", "/api/v1/namespaces/x")
    assert going["status"]["phase"] == "Terminating"
    assert going["spec"]["finalizers"] == ["kubernetes"]
    going["spec"]["finalizers"] = []
    status, _, _ = await rig.http("PUT", "/api/v1/namespaces/x/finalize", going)
    assert status == 200
    assert (await rig.http("GET", "/api/v1/namespaces/x"))[0] == 404
