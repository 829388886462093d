"""Status, scale, binding, eviction, tokens, approval, resize: below an object."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.certificates.material import encoded, pem, request_der
from tests.apiserver.rig import Rig, account, pod, running
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.certificates.certificate_signing_requests import CERTIFICATE_SIGNING_REQUESTS
from wherry.api.core.nodes import NODES
from wherry.api.core.persistent_volumes import PERSISTENT_VOLUMES
from wherry.api.core.pods import PODS
from wherry.api.core.replication_controllers import REPLICATION_CONTROLLERS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.core.services import SERVICES
from wherry.api.networking.ingresses import INGRESSES
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS
from wherry.apiserver.user import AUTHENTICATED, NODES_GROUP, User
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

NODE = User("system:node:n", (NODES_GROUP, AUTHENTICATED))

REQUEST = encoded(pem("CERTIFICATE REQUEST", request_der()))


def deployment(name: str = "d", replicas: int = 1) -> Object:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }


@pytest.fixture
async def running_pod(rig: Rig) -> Object:
    """A running pod on node n."""
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    sent = pod("p", nodeName="n")
    sent["metadata"]["labels"] = {"app": "web"}
    made = await rig.admin.create(PODS, sent)
    ready = {"type": "Ready", "status": "True"}
    made["status"] = {**made.get("status", {}), "phase": "Running", "conditions": [ready]}
    return await rig.admin.update_status(PODS, made)


async def test_status_and_spec_do_not_touch_each_other(rig: Rig) -> None:
    made = await rig.admin.create(DEPLOYMENTS, deployment())
    made["spec"]["replicas"] = 7
    made["status"] = {"replicas": 1, "observedGeneration": 1}
    stored = await rig.admin.update_status(DEPLOYMENTS, made)
    assert stored["spec"]["replicas"] == 1
    assert stored["status"]["replicas"] == 1
    assert stored["metadata"]["generation"] == 1
    stored["spec"]["replicas"] = 3
    stored["status"] = {}
    stored = await rig.admin.update(DEPLOYMENTS, stored)
    assert stored["spec"]["replicas"] == 3
    assert stored["status"]["replicas"] == 1
    assert stored["metadata"]["generation"] == 2
    patched = await rig.admin.patch(
        DEPLOYMENTS, "d", "default", {"status": {"readyReplicas": 1}}, subresource="status"
    )
    assert patched["status"]["readyReplicas"] == 1


async def test_scale(rig: Rig) -> None:
    await rig.admin.create(DEPLOYMENTS, deployment(replicas=2))
    scale = await rig.admin.get(DEPLOYMENTS, "d", "default", "scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == (
        "Scale", {"replicas": 2}, {"replicas": 0, "selector": "app=web"}
    )  # fmt: skip
    scale["spec"]["replicas"] = 4
    assert (await rig.admin.update(DEPLOYMENTS, scale, "scale"))["spec"]["replicas"] == 4
    with pytest.raises(ApiError, match="the object has been modified"):
        await rig.admin.update(DEPLOYMENTS, scale, "scale")
    for patch, expected in (
        ({"spec": {"replicas": 0}}, {}),
        ([{"op": "add", "path": "/spec/replicas", "value": 5}], {"replicas": 5}),
    ):
        scaled = await rig.admin.patch(DEPLOYMENTS, "d", "default", patch, subresource="scale")
        assert scaled["spec"] == expected
    with pytest.raises(ApiError, match="must be greater than or equal to 0"):
        await rig.admin.patch(DEPLOYMENTS, "d", "default", {"spec": {"replicas": -1}}, subresource="scale")
    assert (await rig.admin.get(DEPLOYMENTS, "d", "default"))["spec"]["replicas"] == 5


async def test_scale_of_a_kind_with_a_plain_selector(rig: Rig) -> None:
    obj = deployment()
    obj |= {"apiVersion": "v1", "kind": "ReplicationController"}
    obj["spec"]["selector"] = {"app": "web"}
    await rig.admin.create(REPLICATION_CONTROLLERS, obj)
    scale = await rig.admin.get(REPLICATION_CONTROLLERS, "d", "default", "scale")
    assert scale["status"]["selector"] == "app=web"


async def test_binding(rig: Rig) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    await rig.admin.create(PODS, pod("p"))
    body = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    answer = await rig.admin.create_subresource(PODS, "p", "default", "binding", body)
    assert answer["status"] == "Success"
    bound = await rig.admin.get(PODS, "p", "default")
    assert bound["spec"]["nodeName"] == "n"
    assert {"type": "PodScheduled", "status": "True"}.items() <= bound["status"]["conditions"][0].items()
    with pytest.raises(ApiError, match='pod p is already assigned to node "n"') as caught:
        await rig.admin.create_subresource(PODS, "p", "default", "binding", body)
    assert caught.value.code == 409


def budget(allowed: int) -> Object:
    return {
        "metadata": {"name": "b", "namespace": "default"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        "status": {
            "disruptionsAllowed": allowed,
            "observedGeneration": 1,
            "currentHealthy": 1,
            "desiredHealthy": 1,
            "expectedPods": 1,
        },
    }


async def test_eviction_asks_the_budget(rig: Rig, running_pod: Object) -> None:
    made = await rig.admin.create(POD_DISRUPTION_BUDGETS, budget(0))
    await rig.admin.update_status(POD_DISRUPTION_BUDGETS, {**made, "status": budget(0)["status"]})
    body = {"metadata": {"name": "p"}}
    with pytest.raises(ApiError, match="Cannot evict pod as it would violate") as caught:
        await rig.admin.create_subresource(PODS, "p", "default", "eviction", body)
    assert caught.value.code == 429
    assert caught.value.details["causes"][0]["reason"] == "DisruptionBudget"
    made = await rig.admin.get(POD_DISRUPTION_BUDGETS, "b", "default")
    await rig.admin.update_status(POD_DISRUPTION_BUDGETS, {**made, "status": budget(1)["status"]})
    await rig.admin.create_subresource(PODS, "p", "default", "eviction", body)
    assert (await rig.admin.get(PODS, "p", "default"))["metadata"]["deletionTimestamp"]
    status = (await rig.admin.get(POD_DISRUPTION_BUDGETS, "b", "default"))["status"]
    assert status["disruptionsAllowed"] == 0
    assert list(status["disruptedPods"]) == ["p"]


async def request_token(rig: Rig, user: User | None = None, **spec: Any) -> Object:
    client = rig.admin if user is None else rig.client(user)
    return await client.create_subresource(SERVICE_ACCOUNTS, "default", "default", "token", {"spec": spec})


async def test_a_token_is_taken_until_what_it_is_bound_to_is_gone(rig: Rig, running_pod: Object) -> None:
    ref = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": running_pod["metadata"]["uid"]}
    answer = await request_token(rig, boundObjectRef=ref, expirationSeconds=3600)
    token = answer["status"]["token"]
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    status, body, _ = await rig.http("POST", path, review, token=token)
    assert status == 201
    info = body["status"]["userInfo"]
    assert info["username"] == "system:serviceaccount:default:default"
    assert "system:serviceaccounts:default" in info["groups"]
    assert info["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
    await rig.admin.delete(PODS, "p", "default", grace_period_s=0)
    assert (await rig.http("POST", path, review, token=token))[0] == 401


async def test_tokens_for_others_are_not_taken_here(rig: Rig) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    token = (await request_token(rig, audiences=["elsewhere"]))["status"]["token"]
    assert (await rig.http("GET", "/version", token=token))[0] == 401
    review = {"spec": {"token": token, "audiences": ["elsewhere"]}}
    _, answer, _ = await rig.http("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
    assert answer["status"]["authenticated"]
    assert answer["status"]["audiences"] == ["elsewhere"]
    head, claims, _ = token.split(".")
    forged = f"{head}.{claims}.{'A' * 86}"
    _, answer, _ = await rig.http(
        "POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": forged}}
    )
    assert "authenticated" not in answer["status"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"expirationSeconds": 5}, "may not specify a duration less than 10 minutes"),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "none"}}, 'pods "none" not found'),
        ({"boundObjectRef": {"kind": "Job", "apiVersion": "batch/v1", "name": "j"}}, "cannot bind token"),
    ],
)
async def test_refused_token_requests(rig: Rig, spec: Object, message: str) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    with pytest.raises(ApiError, match=message):
        await request_token(rig, **spec)


async def test_a_node_gets_tokens_only_for_its_pods(rig: Rig, running_pod: Object) -> None:
    await rig.admin.create(NODES, {"metadata": {"name": "n"}})
    ref = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": running_pod["metadata"]["uid"]}
    assert (await request_token(rig, NODE, boundObjectRef=ref))["status"]["token"]
    with pytest.raises(ApiError, match="node requested token not bound to a pod"):
        await request_token(rig, NODE)
    other = User("system:node:m", (NODES_GROUP, AUTHENTICATED))
    with pytest.raises(ApiError, match="no relationship found"):
        await request_token(rig, other, boundObjectRef=ref)


async def test_approval_writes_only_the_decision(rig: Rig) -> None:
    await rig.admin.create(
        CERTIFICATE_SIGNING_REQUESTS,
        {
            "metadata": {"name": "c"},
            "spec": {"request": REQUEST, "signerName": "example.com/s", "usages": ["client auth"]},
        },
    )
    made = await rig.admin.get(CERTIFICATE_SIGNING_REQUESTS, "c")
    made["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "r"}]}
    made["spec"]["signerName"] = "example.com/changed"
    approved = await rig.admin.update(CERTIFICATE_SIGNING_REQUESTS, made, "approval")
    assert approved["spec"]["signerName"] == "example.com/s"
    assert approved["status"]["conditions"][0]["lastTransitionTime"]
    approved["status"]["conditions"].append({"type": "Denied", "status": "True", "reason": "r"})
    with pytest.raises(ApiError, match="mutually exclusive"):
        await rig.admin.update(CERTIFICATE_SIGNING_REQUESTS, approved, "approval")


async def test_a_request_keeps_decisions_but_takes_other_conditions_and_metadata(rig: Rig) -> None:
    await rig.admin.create(
        CERTIFICATE_SIGNING_REQUESTS,
        {
            "metadata": {"name": "c"},
            "spec": {"request": REQUEST, "signerName": "example.com/s", "usages": ["client auth"]},
        },
    )
    made = await rig.admin.get(CERTIFICATE_SIGNING_REQUESTS, "c")
    made["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "r"}]}
    approved = await rig.admin.update(CERTIFICATE_SIGNING_REQUESTS, made, "approval")
    decision = dict(approved["status"]["conditions"][0])
    approved["metadata"]["annotations"] = {"seen": "yes"}
    approved["status"]["conditions"][0]["reason"] = "other"
    approved["status"]["conditions"].append({"type": "Mine", "status": "True"})
    stored = await rig.admin.update_status(CERTIFICATE_SIGNING_REQUESTS, approved)
    assert stored["metadata"]["annotations"] == {"seen": "yes"}
    assert stored["status"]["conditions"][0] == decision
    assert stored["status"]["conditions"][1]["lastTransitionTime"]
    stored["status"]["conditions"].pop(0)
    with pytest.raises(ApiError, match="may not remove a condition of type"):
        await rig.admin.update_status(CERTIFICATE_SIGNING_REQUESTS, stored)


async def test_annotations_are_patched_through_status_and_belong_to_who_did(rig: Rig) -> None:
    backend = {"service": {"name": "s", "port": {"number": 80}}}
    await rig.admin.create(
        INGRESSES,
        {"metadata": {"name": "i", "namespace": "default"}, "spec": {"defaultBackend": backend}},
    )
    patch = {"metadata": {"annotations": {"seen": "yes"}}, "spec": {"ingressClassName": "other"}}
    stored = await rig.admin.patch(INGRESSES, "i", "default", patch, subresource="status")
    assert stored["metadata"]["annotations"] == {"seen": "yes"}
    assert "ingressClassName" not in stored["spec"]
    (entry,) = [it for it in stored["metadata"]["managedFields"] if it.get("subresource") == "status"]
    assert list(entry["fieldsV1"]) == ["f:metadata"]


async def test_a_finalizer_may_go_by_a_write_of_status(rig: Rig) -> None:
    made = await rig.admin.create(
        SERVICES,
        {
            "metadata": {"name": "s", "namespace": "default", "finalizers": ["example.com/f"]},
            "spec": {"ports": [{"port": 80}]},
        },
    )
    await rig.admin.delete(SERVICES, "s", "default")
    made["metadata"]["finalizers"] = []
    made["metadata"].pop("resourceVersion")
    await rig.admin.update_status(SERVICES, made)
    with pytest.raises(ApiError, match="not found"):
        await rig.admin.get(SERVICES, "s", "default")


async def test_a_volume_tells_when_its_phase_changed() -> None:
    clock = FakeClock()
    async with running(clock) as rig:
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/data"},
        }
        made = await rig.admin.create(PERSISTENT_VOLUMES, {"metadata": {"name": "v"}, "spec": spec})
        assert made["status"] == {
            "phase": "Pending",
            "lastPhaseTransitionTime": made["metadata"]["creationTimestamp"],
        }
        await clock.advance(5)
        same = await rig.admin.patch(
            PERSISTENT_VOLUMES, "v", "", {"status": {"message": "m"}}, subresource="status"
        )
        assert same["status"]["lastPhaseTransitionTime"] == made["status"]["lastPhaseTransitionTime"]
        bound = await rig.admin.patch(
            PERSISTENT_VOLUMES, "v", "", {"status": {"phase": "Available"}}, subresource="status"
        )
        assert bound["status"]["lastPhaseTransitionTime"] > made["status"]["lastPhaseTransitionTime"]
        own = {"status": {"phase": "Bound", "lastPhaseTransitionTime": "2001-01-01T00:00:00Z"}}
        told = await rig.admin.patch(PERSISTENT_VOLUMES, "v", "", own, subresource="status")
        assert told["status"]["lastPhaseTransitionTime"] == "2001-01-01T00:00:00Z"


async def test_ephemeral_containers_join_and_resources_change(rig: Rig, running_pod: Object) -> None:
    containers = [{"name": "debug", "image": "busybox:1"}]
    body = json.dumps({"spec": {"ephemeralContainers": containers}})
    status, answer, _ = await rig.http(
        "PATCH",
        "/api/v1/namespaces/default/pods/p/ephemeralcontainers",
        body,
        headers={"Content-Type": "application/strategic-merge-patch+json"},
    )
    assert status == 200, answer
    assert answer["spec"]["ephemeralContainers"][0]["name"] == "debug"
    with pytest.raises(ApiError, match="pod updates may not change fields"):
        await rig.admin.patch(PODS, "p", "default", {"spec": {"hostname": "other"}})
