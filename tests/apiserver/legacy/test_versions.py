"""Old and present versions of one object side by side, over HTTPS."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from tests.apiserver.rig import Rig, account, pod
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.networking.ingresses import INGRESSES
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS
from wherry.api.rbac.role_bindings import ROLE_BINDINGS
from wherry.api.rbac.roles import ROLES
from wherry.objects.meta import Object

OLD_INGRESSES = "/apis/extensions/v1beta1/namespaces/default/ingresses"
OLD_DEPLOYMENTS = "/apis/extensions/v1beta1/namespaces/default/deployments"
INGRESS_WARNING = (
    '299 - "extensions/v1beta1 Ingress is deprecated in v1.14+, unavailable in v1.22+; '
    'use networking.k8s.io/v1 Ingress"'
)

NEGATIVE = (
    'DeploymentRollback.extensions "web" is invalid: rollbackTo.revision: Invalid value: -1: '
    "must be greater than or equal to 0"
)


def ingress(name: str, host: str = "foo.bar.com") -> Object:
    paths = [{"path": "/", "backend": {"serviceName": "s", "servicePort": 80}}]
    return {"metadata": {"name": name}, "spec": {"rules": [{"host": host, "http": {"paths": paths}}]}}


def deployment(name: str = "web") -> Object:
    return {
        "metadata": {"name": name},
        "spec": {
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "nginx"}]},
            }
        },
    }


async def sent(rig: Rig, method: str, path: str, body: Any = None, **headers: str) -> Any:
    status, answer, _ = await rig.http(method, path, body, headers=headers)
    assert status in (200, 201), answer
    return answer


async def test_an_ingress_in_three_versions(rig: Rig) -> None:
    made = await sent(rig, "POST", OLD_INGRESSES, ingress("a"))
    modern = await rig.admin.get(INGRESSES, "a", "default")
    (path,) = modern["spec"]["rules"][0]["http"]["paths"]
    assert path == {
        "path": "/",
        "pathType": "ImplementationSpecific",
        "backend": {"service": {"name": "s", "port": {"number": 80}}},
    }
    assert modern["metadata"]["uid"] == made["metadata"]["uid"]
    between = await sent(rig, "GET", "/apis/networking.k8s.io/v1beta1/namespaces/default/ingresses/a")
    assert between["spec"] == made["spec"]

    path["backend"]["service"]["port"] = {"name": "http"}
    await rig.admin.update(INGRESSES, modern)
    old = await sent(rig, "GET", f"{OLD_INGRESSES}/a")
    assert old["spec"]["rules"][0]["http"]["paths"][0]["backend"] == {
        "serviceName": "s",
        "servicePort": "http",
    }
    assert old["metadata"]["generation"] == 2


async def test_every_answer_warns(rig: Rig) -> None:
    for method, path, body in (
        ("POST", OLD_INGRESSES, ingress("a")),
        ("GET", OLD_INGRESSES, None),
        ("GET", f"{OLD_INGRESSES}/a", None),
        ("GET", f"{OLD_INGRESSES}/b", None),
        ("GET", f"{OLD_INGRESSES}?watch=1&timeoutSeconds=1&resourceVersion=1", None),
        ("DELETE", f"{OLD_INGRESSES}/a", None),
    ):
        _, _, headers = await rig.http(method, path, body)
        assert headers.getall("Warning", []) == [INGRESS_WARNING], (method, path)
    _, _, headers = await rig.http("GET", INGRESSES.path("default"))
    assert "Warning" not in headers


async def test_lists_tables_and_selectors(rig: Rig) -> None:
    await sent(rig, "POST", OLD_INGRESSES, ingress("a"))
    await sent(rig, "POST", OLD_INGRESSES, {**ingress("b"), "metadata": {"name": "b", "labels": {"x": "y"}}})
    listed = await sent(rig, "GET", OLD_INGRESSES)
    assert (listed["apiVersion"], listed["kind"]) == ("extensions/v1beta1", "IngressList")
    assert [item["apiVersion"] for item in listed["items"]] == ["extensions/v1beta1"] * 2
    selected = await sent(rig, "GET", f"{OLD_INGRESSES}?labelSelector=x%3Dy")
    assert [item["metadata"]["name"] for item in selected["items"]] == ["b"]
    table = await sent(
        rig, "GET", OLD_INGRESSES, Accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    )
    assert [row["cells"][:3] for row in table["rows"]] == [
        ["a", "<none>", "foo.bar.com"],
        ["b", "<none>", "foo.bar.com"],
    ]


async def test_versions_that_differ_in_name_alone(rig: Rig) -> None:
    """Their lists are made of the stored bytes with another head."""
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    role = {"metadata": {"name": "r", "namespace": "default"}, "rules": rules}
    made = await rig.admin.create(ROLES, role)
    path = "/apis/rbac.authorization.k8s.io/v1beta1/namespaces/default/roles"
    listed = await sent(rig, "GET", path)
    assert listed["items"] == [{**made, "apiVersion": "rbac.authorization.k8s.io/v1beta1"}]
    assert await sent(rig, "GET", f"{path}/r") == listed["items"][0]


async def test_a_watch_shows_the_old_version(rig: Rig) -> None:
    first = await sent(rig, "POST", OLD_INGRESSES, ingress("a"))
    path = f"{OLD_INGRESSES}?watch=1&resourceVersion={first['metadata']['resourceVersion']}&timeoutSeconds=5"
    headers = {"Authorization": "Bearer admin-token"}
    async with rig.session.get(rig.server.url + path, headers=headers) as response:
        changed = await rig.admin.get(INGRESSES, "a", "default")
        changed["spec"]["rules"][0]["host"] = "other"
        await rig.admin.update(INGRESSES, changed)
        await rig.admin.delete(INGRESSES, "a", "default")
        events = [await _next(response) for _ in range(2)]
    assert [event["type"] for event in events] == ["MODIFIED", "DELETED"]
    for event in events:
        assert event["object"]["apiVersion"] == "extensions/v1beta1"
        (path_,) = event["object"]["spec"]["rules"][0]["http"]["paths"]
        assert path_["backend"] == {"serviceName": "s", "servicePort": 80}


async def _next(response: aiohttp.ClientResponse) -> Any:
    return json.loads(await response.content.readline())


async def test_patches_are_of_the_old_version(rig: Rig) -> None:
    await sent(rig, "POST", OLD_INGRESSES, ingress("a"))
    change = {"spec": {"backend": {"serviceName": "t", "servicePort": 8080}}}
    merge = {"Content-Type": "application/strategic-merge-patch+json"}
    status, patched, _ = await rig.http("PATCH", f"{OLD_INGRESSES}/a", change, headers=merge)
    assert status == 200
    assert patched["spec"]["backend"] == change["spec"]["backend"]
    modern = await rig.admin.get(INGRESSES, "a", "default")
    assert modern["spec"]["defaultBackend"] == {"service": {"name": "t", "port": {"number": 8080}}}


async def test_a_field_of_the_other_version_is_unknown(rig: Rig) -> None:
    body = {"metadata": {"name": "a"}, "spec": {"defaultBackend": {}}}
    status, answer, _ = await rig.http("POST", f"{OLD_INGRESSES}?fieldValidation=Strict", body)
    assert status == 400
    assert answer["message"] == (
        'Ingress in version "v1beta1" cannot be handled as a Ingress: strict decoding error: '
        'unknown field "spec.defaultBackend"'
    )


async def test_scale(rig: Rig) -> None:
    await sent(rig, "POST", OLD_DEPLOYMENTS, deployment())
    scale = await sent(rig, "GET", f"{OLD_DEPLOYMENTS}/web/scale")
    assert (scale["apiVersion"], scale["kind"]) == ("extensions/v1beta1", "Scale")
    assert scale["spec"] == {"replicas": 1}
    assert scale["status"] == {"replicas": 0, "selector": {"app": "web"}, "targetSelector": "app=web"}
    scale["spec"]["replicas"] = 4
    assert (await sent(rig, "PUT", f"{OLD_DEPLOYMENTS}/web/scale", scale))["spec"] == {"replicas": 4}
    assert (await rig.admin.get(DEPLOYMENTS, "web", "default"))["spec"]["replicas"] == 4


async def test_rollback_writes_an_order_down(rig: Rig) -> None:
    await sent(rig, "POST", OLD_DEPLOYMENTS, deployment())
    order = {"name": "web", "rollbackTo": {"revision": 2}, "updatedAnnotations": {"why": "broken"}}
    status, answer, _ = await rig.http("POST", f"{OLD_DEPLOYMENTS}/web/rollback", order)
    assert status == 201
    assert answer["message"] == 'rollback request for deployment "web" succeeded'
    old = await sent(rig, "GET", f"{OLD_DEPLOYMENTS}/web")
    assert old["spec"]["rollbackTo"] == {"revision": 2}
    assert old["metadata"]["annotations"] == {"why": "broken"}
    modern = await rig.admin.get(DEPLOYMENTS, "web", "default")
    assert modern["metadata"]["annotations"]["deprecated.deployment.rollback.to"] == "2"


@pytest.mark.parametrize(
    ("order", "code", "message"),
    [
        ({"name": "other"}, 400, "name in URL does not match name in DeploymentRollback object"),
        ({"name": "web", "rollbackTo": {"revision": -1}}, 422, NEGATIVE),
    ],
)  # fmt: skip
async def test_wrong_orders(rig: Rig, order: Object, code: int, message: str) -> None:
    await sent(rig, "POST", OLD_DEPLOYMENTS, deployment())
    status, answer, _ = await rig.http("POST", f"{OLD_DEPLOYMENTS}/web/rollback", order)
    assert (status, answer["message"]) == (code, message)


@pytest.mark.parametrize(("query", "orphans"), [("", True), ("?propagationPolicy=Background", False)])
async def test_deletion_leaves_dependents_unless_told_otherwise(rig: Rig, query: str, orphans: bool) -> None:
    await sent(rig, "POST", OLD_DEPLOYMENTS, deployment())
    status, _, _ = await rig.http("DELETE", f"{OLD_DEPLOYMENTS}/web{query}")
    assert status == 200
    status, found, _ = await rig.http("GET", f"{OLD_DEPLOYMENTS}/web")
    if orphans:
        assert found["metadata"]["finalizers"] == ["orphan"]
    else:
        assert status == 404


async def test_budgets_mean_the_same_in_both_versions(rig: Rig) -> None:
    path = "/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets"
    body = {"metadata": {"name": "none"}, "spec": {"minAvailable": 1, "selector": {}}}
    made = await sent(rig, "POST", path, body)
    assert made["spec"]["selector"] == {}
    modern = await rig.admin.get(POD_DISRUPTION_BUDGETS, "none", "default")
    mark = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match"
    assert modern["spec"]["selector"] == {"matchExpressions": [{"key": mark, "operator": "Exists"}]}


async def test_evictions_may_be_of_the_old_version(rig: Rig) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    await rig.admin.create(PODS, pod("p"))
    body = {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": "p"}}
    status, answer, _ = await rig.http("POST", "/api/v1/namespaces/default/pods/p/eviction", body)
    assert status == 201, answer


async def test_discovery_prefers_the_present(rig: Rig) -> None:
    groups = {group["name"]: group for group in (await sent(rig, "GET", "/apis"))["groups"]}
    preferred = {name: group["preferredVersion"]["version"] for name, group in groups.items()}
    assert preferred["apps"] == preferred["networking.k8s.io"] == preferred["policy"] == "v1"
    assert preferred["batch"] == preferred["rbac.authorization.k8s.io"] == "v1"
    assert list(groups)[-1] == "extensions"
    assert [version["version"] for version in groups["apps"]["versions"]] == ["v1", "v1beta2", "v1beta1"]
    old = await sent(rig, "GET", "/apis/extensions/v1beta1")
    assert {entry["name"] for entry in old["resources"]} == {
        "daemonsets",
        "daemonsets/status",
        "deployments",
        "deployments/rollback",
        "deployments/scale",
        "deployments/status",
        "ingresses",
        "ingresses/status",
        "networkpolicies",
        "replicasets",
        "replicasets/scale",
        "replicasets/status",
    }
    assert not any("shortNames" in entry or "categories" in entry for entry in old["resources"])


async def test_openapi_describes_old_kinds(rig: Rig) -> None:
    document = await sent(rig, "GET", "/openapi/v3/apis/extensions/v1beta1")
    schemas = document["components"]["schemas"]
    assert "servicePort" in schemas["io.k8s.api.extensions.v1beta1.IngressBackend"]["properties"]
    rollback = document["paths"][
        "/apis/extensions/v1beta1/namespaces/{namespace}/deployments/{name}/rollback"
    ]
    assert rollback["post"]["x-kubernetes-group-version-kind"]["kind"] == "DeploymentRollback"


async def test_old_kinds_are_described_like_their_successors(rig: Rig) -> None:
    document = await sent(rig, "GET", "/openapi/v3/apis/extensions/v1beta1")
    spec = document["components"]["schemas"]["io.k8s.api.extensions.v1beta1.DeploymentSpec"]
    assert spec["properties"]["replicas"]["description"].startswith("Number of desired pods")


async def test_editors_may_use_old_versions(rig: Rig) -> None:
    body = ingress("a")
    status, answer, _ = await rig.http("POST", OLD_INGRESSES, body, token="alice-token")
    assert status == 403
    assert "ingresses.extensions is forbidden" in answer["message"]
    binding = {
        "metadata": {"name": "alice", "namespace": "default"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}],
    }
    await rig.admin.create(ROLE_BINDINGS, binding)
    status, answer, _ = await rig.http("POST", OLD_INGRESSES, body, token="alice-token")
    assert status == 201, answer


async def test_the_class_annotation_is_still_taken(rig: Rig) -> None:
    body = ingress("a")
    body["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "outside"}
    status, made, headers = await rig.http("POST", OLD_INGRESSES, body)
    assert status == 201
    assert made["metadata"]["annotations"] == body["metadata"]["annotations"]
    deprecated, annotation = headers.getall("Warning")
    assert deprecated == INGRESS_WARNING
    assert r"\"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName'" in annotation
    body["metadata"]["name"] = "b"
    body["spec"]["ingressClassName"] = "inside"
    status, answer, _ = await rig.http("POST", OLD_INGRESSES, body)
    assert status == 422
    assert answer["message"].endswith(
        'annotations.kubernetes.io/ingress.class: Invalid value: "outside": '
        "must match `ingressClassName` when both are specified"
    )
