from __future__ import annotations

from typing import Any

import orjson
import pytest

from wherry.api.resource import Resource, Subresource
from wherry.apiserver.discovery import Discovery, groups_of, storage_version_hash, version_priority

PODS = Resource(
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    namespaced=True,
    short_names=("po",),
    categories=("all",),
    subresources=(
        Subresource("status"),
        Subresource("eviction", verbs=("create",), group="policy", version="v1", kind="Eviction"),
        Subresource("exec", verbs=("get", "create"), kind="PodExecOptions"),
    ),
)
REVIEWS = Resource(
    group="", version="v1", kind="Review", plural="reviews", namespaced=False, verbs=("create",)
)
SCALERS = [
    Resource(group="autoscaling", version=version, kind="Scaler", plural="scalers", namespaced=True)
    for version in ("v1beta1", "v1", "v2")
]
RESOURCES = [*SCALERS, PODS, REVIEWS]
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def fetch(path: str, accept: str = "application/json") -> Any:
    response = Discovery(RESOURCES, "10.0.0.1:6443").answer(path, accept)
    assert response is not None
    return orjson.loads(response.body)


def test_versions_are_ordered_as_people_do() -> None:
    versions = ["v1alpha1", "v1", "foo", "v1beta2", "v10", "v2", "v1beta10", "v0"]
    assert sorted(versions, key=version_priority) == [
        "v10",
        "v2",
        "v1",
        "v1beta10",
        "v1beta2",
        "v1alpha1",
        "foo",
        "v0",
    ]
    assert groups_of(RESOURCES) == {"": ["v1"], "autoscaling": ["v2", "v1", "v1beta1"]}


def test_storage_version_hash_is_upstreams() -> None:
    assert storage_version_hash(PODS) == "xPOwRZ+Yhw8="


def test_old_form() -> None:
    assert fetch("/api") == {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "10.0.0.1:6443"}],
    }
    groups = fetch("/apis/")
    assert groups["kind"] == "APIGroupList"
    assert [group["name"] for group in groups["groups"]] == ["autoscaling"]
    assert groups["groups"][0]["preferredVersion"] == {"groupVersion": "autoscaling/v2", "version": "v2"}
    assert fetch("/apis/autoscaling")["kind"] == "APIGroup"
    assert fetch("/apis/autoscaling/v2")["groupVersion"] == "autoscaling/v2"


def test_resources_and_their_subresources() -> None:
    document = fetch("/api/v1")
    assert document["groupVersion"] == "v1"
    by_name = {entry["name"]: entry for entry in document["resources"]}
    assert list(by_name) == ["pods", "pods/eviction", "pods/exec", "pods/status", "reviews"]
    assert by_name["pods"] == {
        "name": "pods",
        "singularName": "pod",
        "namespaced": True,
        "kind": "Pod",
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        "shortNames": ["po"],
        "categories": ["all"],
        "storageVersionHash": "xPOwRZ+Yhw8=",
    }
    assert by_name["pods/eviction"] == {
        "name": "pods/eviction",
        "singularName": "",
        "namespaced": True,
        "group": "policy",
        "version": "v1",
        "kind": "Eviction",
        "verbs": ["create"],
    }
    assert by_name["pods/exec"]["kind"] == "PodExecOptions"
    assert by_name["pods/exec"]["verbs"] == ["create", "get"]
    assert "group" not in by_name["pods/exec"]
    assert "storageVersionHash" not in by_name["reviews"]


def test_aggregated_form() -> None:
    core = fetch("/api", AGGREGATED + ",application/json")
    assert core["apiVersion"] == "apidiscovery.k8s.io/v2"
    assert core["items"][0]["metadata"] == {}
    pods = core["items"][0]["versions"][0]["resources"][0]
    assert pods["responseKind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert pods["scope"] == "Namespaced"
    assert [sub["subresource"] for sub in pods["subresources"]] == ["eviction", "exec", "status"]
    assert pods["subresources"][0]["responseKind"]["group"] == "policy"
    named = fetch("/apis", AGGREGATED)
    assert [version["version"] for version in named["items"][0]["versions"]] == ["v2", "v1", "v1beta1"]
    older = fetch("/apis", AGGREGATED.replace("v=v2", "v=v2beta1"))
    assert older["apiVersion"] == "apidiscovery.k8s.io/v2beta1"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "APIGroupList"),
        ("*/*", "APIGroupList"),
        ("application/json," + AGGREGATED, "APIGroupList"),
        ("application/json;q=0.5," + AGGREGATED, "APIGroupDiscoveryList"),
        (AGGREGATED.replace("v=v2", "v=v9") + ",application/json", "APIGroupList"),
        ("application/vnd.kubernetes.protobuf," + AGGREGATED, "APIGroupDiscoveryList"),
    ],
)
def test_the_client_chooses_the_form(accept: str, kind: str) -> None:
    assert fetch("/apis", accept)["kind"] == kind


def test_unchanged_documents_are_not_sent_again() -> None:
    discovery = Discovery(RESOURCES, "a")
    first = discovery.answer("/apis", AGGREGATED)
    assert first is not None
    headers = dict(first.headers)
    assert headers["Vary"] == "Accept"
    assert first.content_type == AGGREGATED
    again = discovery.answer("/apis", AGGREGATED, headers["ETag"])
    assert again is not None
    assert (again.status, again.body) == (304, b"")
    plain = discovery.answer("/apis", "", headers["ETag"])
    assert plain is not None
    assert plain.status == 200


@pytest.mark.parametrize("path", ["/", "/api/v2", "/apis/nope", "/apis/autoscaling/v9", "/version", "/apix"])
def test_other_paths_are_not_its_own(path: str) -> None:
    assert Discovery(RESOURCES, "a").answer(path) is None


def test_groups_served_elsewhere_are_listed() -> None:
    foreign = {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "resources": []}]}
    discovery = Discovery(RESOURCES, "a", [foreign])
    plain, aggregated = discovery.answer("/apis"), discovery.answer("/apis", AGGREGATED)
    assert plain is not None
    assert aggregated is not None
    assert orjson.loads(plain.body)["groups"][-1]["preferredVersion"]["version"] == "v1beta1"
    assert orjson.loads(aggregated.body)["items"][-1] == foreign
