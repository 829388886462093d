"""Fields of features that are off are dropped from pods and templates, unless they are stored already."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, running
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.catalog import BUILTIN
from wherry.api.core.pod_spec.disabled import POD_SPECS, drop_disabled_fields
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.schema.definitions import source
from wherry.kubelet.unsupported import ALPHA, ELSEWHERE

CORE = "io.k8s.api.core.v1."
OWNED = {"items": [{"key": "k", "path": "p", "user": 1}], "defaultUser": 1}
HTTP = {"httpGet": {"port": 80, "path": "/", "protocol": "HTTP2"}}
SPEC: dict[str, Any] = {
    "evictionResponders": [{"name": "example.com/x"}],
    "volumes": [
        {"name": "e", "emptyDir": {"mode": 0o700}},
        {"name": "c", "configMap": {"name": "c", **OWNED}},
        {"name": "s", "secret": {"secretName": "s", **OWNED}},
        {"name": "d", "downwardAPI": OWNED},
        {
            "name": "p",
            "projected": {
                "defaultUser": 1,
                "sources": [
                    {"configMap": {"name": "c", "items": OWNED["items"]}},
                    {"secret": {"name": "s", "items": OWNED["items"]}},
                    {"downwardAPI": {"items": OWNED["items"]}},
                    {"serviceAccountToken": {"path": "t", "user": 1}},
                    {"clusterTrustBundle": {"name": "b", "path": "b", "user": 1}},
                    {"podCertificate": {"keyType": "ED25519", "user": 1}},
                ],
            },
        },
    ],
    "containers": [
        {
            "name": "web",
            "volumeMounts": [{"name": "e", "mountPath": "/e", "bindMountOptions": ["noexec"]}],
            "livenessProbe": HTTP,
            "startupProbe": {"grpc": {"port": 1, "mode": "TLS"}},
            "lifecycle": {"preStop": HTTP},
        }
    ],
    "initContainers": [{"name": "i", "readinessProbe": HTTP}],
}
DISABLED = {"evictionResponders", "mode", "user", "defaultUser", "bindMountOptions", "protocol"}


def fields_in(node: Any) -> Iterator[str]:
    """The names of all fields, at any depth."""
    if isinstance(node, dict):
        yield from node
        for value in node.values():
            yield from fields_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from fields_in(value)


def at(path: tuple[str, ...], spec: Any) -> dict[str, Any]:
    """An object that has `spec` at the path."""
    for field in reversed(path):
        spec = {field: spec}
    found: dict[str, Any] = spec
    return found


@pytest.mark.parametrize(("group", "kind"), POD_SPECS, ids=[f"{g}/{k}" for g, k in POD_SPECS])
def test_they_are_dropped_wherever_pods_are_described(group: str, kind: str) -> None:
    new = at(POD_SPECS[group, kind], copy.deepcopy(SPEC))
    assert set(fields_in(new)) >= DISABLED
    drop_disabled_fields(group, kind, new, None)
    assert DISABLED.isdisjoint(fields_in(new))
    assert {"httpGet", "grpc", "items", "sources", "serviceAccountToken", "emptyDir"} <= set(fields_in(new))


def test_what_is_stored_may_stay() -> None:
    new = {"spec": copy.deepcopy(SPEC)}
    old = {"spec": {"containers": [{"name": "web", "readinessProbe": HTTP}]}}
    drop_disabled_fields("", "Pod", new, old)
    assert set(fields_in(new)) & DISABLED == {"protocol", "mode"}, "those of one feature alone"
    assert [volume["emptyDir"] for volume in new["spec"]["volumes"][:1]] == [{}]


def test_others_are_left_alone() -> None:
    new = {"spec": copy.deepcopy(SPEC)}
    drop_disabled_fields("example.com", "Pod", new, None)
    assert new["spec"] == SPEC


def test_every_kind_with_pods_is_known() -> None:
    """A kind that has a pod's spec anywhere in it is in the table, or only shows what others stored."""
    found = set()
    for resource in BUILTIN:
        if resource.schema and _reaches(resource.schema, f"{CORE}PodSpec"):
            found.add((resource.group, resource.kind))
    assert found == POD_SPECS.keys()


def test_every_field_said_to_be_off_is_dropped() -> None:
    """What the node calls alpha never comes to it from the API server."""
    off = {name.partition(".")[2] for name, why in ELSEWHERE.items() if why == ALPHA}
    assert off - {"name", "priority"} == DISABLED, "the others are inside of one of them"


async def test_the_server_stores_none_of_them() -> None:
    async with running() as rig:
        await rig.admin.create(SERVICE_ACCOUNTS, account())
        await _stores_none(rig)


async def _stores_none(rig: Rig) -> None:
    container = {"name": "web", "image": "x", "livenessProbe": HTTP}
    spec = {"containers": [container], "volumes": [{"name": "e", "emptyDir": {"mode": 0o700}}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}, "spec": spec}
    made = await rig.admin.create(PODS, pod)
    assert DISABLED.isdisjoint({*made["spec"]["volumes"][0]["emptyDir"]})
    assert "protocol" not in made["spec"]["containers"][0]["livenessProbe"]["httpGet"]
    labels = {"app": "x"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    stored = await rig.admin.create(DEPLOYMENTS, deployment)
    changed = {"spec": {"template": {"spec": {"containers": [{**container, "readinessProbe": HTTP}]}}}}
    patched = await rig.admin.patch(DEPLOYMENTS, "d", "default", changed)
    for obj in (stored, patched):
        (web,) = obj["spec"]["template"]["spec"]["containers"]
        assert "protocol" not in web["livenessProbe"]["httpGet"]
    assert "protocol" not in patched["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]


def _reaches(start: str, wanted: str) -> bool:
    left, seen = [start], set()
    while left:
        name = left.pop()
        if name == wanted:
            return True
        if name not in seen:
            seen.add(name)
            left += re.findall(r"'(io\.k8s\.[^']*)'", repr(source(name)))
    return False
