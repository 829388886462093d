"""PUT: names, versions, incarnations, what cannot change, what creates."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.conformance.asking import DEPLOYMENTS, MAPS, deployment, refusal
from tests.apiserver.rig import Rig, config_map

STALE = "the object has been modified; please apply your changes to the latest version and try again"


@pytest.fixture
async def stored(rig: Rig) -> Any:
    """A ConfigMap as stored."""
    return (await rig.http("POST", MAPS, config_map("a", x="1")))[1]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (config_map("b"), "the name of the object (b) does not match the name on the URL (a)"),
        (
            {"data": {}},
            "the name of the object (a based on URL) was undeterminable: name must be provided",
        ),
        (
            config_map("a", namespace="other"),
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            config_map("b", namespace="other"),
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
    ],
)
async def test_names_that_do_not_match(rig: Rig, stored: Any, body: Any, expected: str) -> None:
    assert await refusal(rig, "PUT", f"{MAPS}/a", body) == (400, "BadRequest", expected)


async def test_stale_versions(rig: Rig, stored: Any) -> None:
    await rig.http("PUT", f"{MAPS}/a", config_map("a", x="2"))
    status, answer, _ = await rig.http("PUT", f"{MAPS}/a", {**stored, "data": {"x": "3"}})
    assert status == 409
    assert answer["reason"] == "Conflict"
    assert answer["message"] == f'Operation cannot be fulfilled on configmaps "a": {STALE}'
    assert answer["details"] == {"name": "a", "kind": "configmaps"}


async def test_another_incarnation(rig: Rig, stored: Any) -> None:
    body = config_map("a")
    body["metadata"]["uid"] = "other"
    code, reason, message = await refusal(rig, "PUT", f"{MAPS}/a", body)
    assert (code, reason) == (409, "Conflict")
    assert message == (
        'Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, '
        "Key: /registry/configmaps/default/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
        f"UID in precondition: other, UID in object meta: {stored['metadata']['uid']}"
    )


async def test_what_is_not_there(rig: Rig) -> None:
    assert await refusal(rig, "PUT", f"{MAPS}/a", config_map("a")) == (
        404,
        "NotFound",
        'configmaps "a" not found',
    )


async def test_a_kind_that_wants_a_version(rig: Rig) -> None:
    path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    body = {"metadata": {"name": "a"}, "spec": {"minAvailable": 1, "selector": {}}}
    await rig.http("POST", path, body)
    assert await refusal(rig, "PUT", f"{path}/a", body) == (
        422,
        "Invalid",
        (
            'poddisruptionbudgets.policy "a" is invalid: metadata.resourceVersion: Invalid value: 0: '
            "must be specified for an update"
        ),
    )


async def test_kinds_a_put_creates(rig: Rig) -> None:
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    status, answer, _ = await rig.http("PUT", f"{path}/a", {"metadata": {"name": "a"}, "spec": {}})
    assert (status, answer["metadata"]["name"]) == (201, "a"), answer
    rbac = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    assert (await rig.http("PUT", f"{rbac}/a", {"metadata": {"name": "a"}, "rules": []}))[0] == 201


async def test_an_update_without_change_keeps_the_version(rig: Rig, stored: Any) -> None:
    for body in (stored, config_map("a", x="1")):
        status, answer, _ = await rig.http("PUT", f"{MAPS}/a", body)
        assert (status, answer["metadata"]["resourceVersion"]) == (200, stored["metadata"]["resourceVersion"])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"creationTimestamp": "2001-01-01T00:00:00Z"},
            'metadata.creationTimestamp: Invalid value: "2001-01-01T00:00:00Z": field is immutable',
        ),
        (
            {"labels": {"a b": "c"}},
            'metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters',
        ),
        (
            {"annotations": {"x": "y" * (256 * 1024)}},
            "metadata.annotations: Too long: may not be more than 262144 bytes",
        ),
        (
            {"finalizers": ["nope"]},
            (
                'metadata.finalizers[0]: Invalid value: "nope": name is neither a standard '
                "finalizer name nor is "
                "it fully qualified"
            ),
        ),
        (
            {"finalizers": ["a b"]},
            'metadata.finalizers: Invalid value: "a b": name part must consist of alphanumeric characters',
        ),
    ],
)
async def test_metadata_that_cannot_be(rig: Rig, stored: Any, change: Any, complaint: str) -> None:
    body = config_map("a", x="1")
    body["metadata"] |= change
    code, reason, message = await refusal(rig, "PUT", f"{MAPS}/a", body)
    assert (code, reason) == (422, "Invalid")
    assert message.startswith('ConfigMap "a" is invalid: ')
    assert complaint in message


async def test_server_fields_are_put_back(rig: Rig) -> None:
    _, stored, _ = await rig.http("POST", DEPLOYMENTS, deployment())
    body = deployment()
    body["metadata"] |= {"generation": 9, "selfLink": "/x", "deletionTimestamp": "2030-01-01T00:00:00Z"}
    body["status"] = {"replicas": 5}
    status, answer, _ = await rig.http("PUT", f"{DEPLOYMENTS}/web", body)
    assert status == 200, answer
    assert answer["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]
    assert answer["metadata"]["generation"] == 1
    assert answer["status"] == stored.get("status", {})


async def test_no_new_finalizers_on_what_is_going(rig: Rig) -> None:
    body = config_map("a")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    await rig.http("POST", MAPS, body)
    await rig.http("DELETE", f"{MAPS}/a")
    body["metadata"]["finalizers"] = ["example.com/hold", "example.com/more"]
    code, reason, message = await refusal(rig, "PUT", f"{MAPS}/a", body)
    assert (code, reason) == (422, "Invalid")
    assert message == (
        'ConfigMap "a" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the '
        'object is being deleted, found new finalizers []string{"example.com/more"}'
    )
