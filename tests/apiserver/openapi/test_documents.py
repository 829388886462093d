from __future__ import annotations

import json
from typing import Any

import pytest

from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource, Subresource
from wherry.apiserver.openapi.documents import version_document, whole_document
from wherry.apiserver.openapi.operations import version_operations
from wherry.objects.meta import Object

TABS = Resource(
    group="stable.example.com",
    version="v1",
    kind="Tab",
    plural="tabs",
    namespaced=False,
    subresources=(Subresource("status"),),
)
RESOURCES = [PODS, DEPLOYMENTS, TABS]
DEPLOYMENT = "io.k8s.api.apps.v1.Deployment"
TAB = "com.example.stable.v1.Tab"


def custom(resource: Resource) -> Object | None:
    if resource is not TABS:
        return None
    return {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "nullable": True,
                "properties": {"n": {"anyOf": [{"type": "integer"}, {"type": "string"}]}},
                "x-kubernetes-validations": [{"rule": "true"}],
            }
        },
    }


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


def test_operations_carry_upstreams_names() -> None:
    ids = {operation.id for operation in version_operations("", "v1", [PODS])}
    assert {
        "getCoreV1APIResources",
        "listCoreV1NamespacedPod",
        "listCoreV1PodForAllNamespaces",
        "createCoreV1NamespacedPod",
        "deleteCoreV1CollectionNamespacedPod",
        "readCoreV1NamespacedPodStatus",
        "patchCoreV1NamespacedPod",
        "createCoreV1NamespacedPodEviction",
        "connectCoreV1GetNamespacedPodExec",
    } <= ids
    operations = list(version_operations("rbac.authorization.k8s.io", "v1", []))
    assert (operations[0].id, operations[0].tag) == (
        "getRbacAuthorizationV1APIResources",
        "rbacAuthorization_v1",
    )


@pytest.mark.parametrize(("group", "version"), [("apps", "v1"), ("", "v1"), ("stable.example.com", "v1")])
def test_every_reference_leads_somewhere(group: str, version: str) -> None:
    document = version_document(group, version, RESOURCES, custom)
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) <= known


def test_v3_paths_say_what_kubectl_looks_for() -> None:
    document = version_document("apps", "v1", RESOURCES)
    item = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
    patch = item["patch"]
    assert patch["x-kubernetes-action"] == "patch"
    assert patch["x-kubernetes-group-version-kind"] == {
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
    }
    assert {"fieldValidation", "dryRun", "force"} <= {p["name"] for p in patch["parameters"]}
    assert "application/apply-patch+yaml" in patch["requestBody"]["content"]
    assert [(p["name"], p["in"]) for p in item["parameters"]] == [
        ("name", "path"),
        ("namespace", "path"),
        ("pretty", "query"),
    ]
    schema = document["components"]["schemas"][DEPLOYMENT]
    assert schema["properties"]["spec"]["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}
    ]
    assert "description" in schema["properties"]["spec"]
    quantity = document["components"]["schemas"]["io.k8s.apimachinery.pkg.api.resource.Quantity"]
    assert quantity == {"oneOf": [{"type": "string"}, {"type": "number"}]}


def test_v3_of_a_custom_resource() -> None:
    document = version_document("stable.example.com", "v1", RESOURCES, custom)
    schemas = document["components"]["schemas"]
    assert schemas[TAB]["x-kubernetes-group-version-kind"] == [
        {"group": "stable.example.com", "version": "v1", "kind": "Tab"}
    ]
    assert schemas[TAB]["properties"]["spec"]["nullable"] is True
    assert schemas[f"{TAB}List"]["properties"]["items"]["items"] == {"$ref": f"#/components/schemas/{TAB}"}
    assert "/apis/stable.example.com/v1/tabs/{name}/status" in document["paths"]


def test_only_built_in_kinds_promise_strategic_patches() -> None:
    def accepted(document: Object, path: str) -> set[str]:
        return set(document["paths"][path]["patch"]["requestBody"]["content"])

    built_in = version_document("apps", "v1", RESOURCES)
    every = accepted(built_in, "/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
    tabs = version_document("stable.example.com", "v1", RESOURCES, custom)
    path = "/apis/stable.example.com/v1/tabs/{name}"
    for accepts in (accepted(tabs, path), accepted(tabs, f"{path}/status")):
        assert every - accepts == {"application/strategic-merge-patch+json"}
        assert accepts <= every


def test_v2_has_everything_in_its_own_dialect() -> None:
    document = whole_document(RESOURCES, custom)
    assert document["swagger"] == "2.0"
    known = {f"#/definitions/{name}" for name in document["definitions"]}
    assert references(document) <= known
    post = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments"]["post"]
    assert post["parameters"][0] == {
        "name": "body",
        "in": "body",
        "required": True,
        "schema": {"$ref": f"#/definitions/{DEPLOYMENT}"},
    }
    assert document["definitions"]["io.k8s.apimachinery.pkg.api.resource.Quantity"] == {"type": "string"}
    spec = document["definitions"][DEPLOYMENT]["properties"]["spec"]
    assert spec["$ref"] == "#/definitions/io.k8s.api.apps.v1.DeploymentSpec"
    assert "anyOf" not in json.dumps(document)
