"""A kopf operator on a kind of its own and on ConfigMaps, run by the `kopf` command."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.clients.operators import operator
from tests.live.clients.trials.base import config_map
from tests.live.cluster import LiveCluster

OPERATOR = """
import kopf


@kopf.on.create("trial.example.org", "v1", "sites")
@kopf.on.update("trial.example.org", "v1", "sites", field="spec.title")
async def published(spec, status, patch, **_):
    patch.status["title"] = spec["title"].upper()
    return {"seen": spec["title"]}


@kopf.on.delete("trial.example.org", "v1", "sites")
async def withdrawn(body, name, **_):
    kopf.info(body, reason="Withdrawn", message=f"{name} is withdrawn")


@kopf.timer("trial.example.org", "v1", "sites", interval=0.5)
async def counted(status, patch, **_):
    patch.status["ticks"] = status.get("ticks", 0) + 1


@kopf.on.field("configmaps", field="data.color", labels={"trial": kopf.PRESENT})
async def colored(old, new, patch, **_):
    patch.metadata.annotations["trial/was"] = str(old)
    patch.metadata.annotations["trial/is"] = str(new)


@kopf.on.event("configmaps", labels={"trial": "event"})
async def happened(event, body, patch, **_):
    if event["type"] is None or event["type"] == "ADDED":
        patch.metadata.annotations["trial/event"] = "yes"
"""
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "sites.trial.example.org"},
    "spec": {
        "group": "trial.example.org",
        "scope": "Namespaced",
        "names": {"kind": "Site", "plural": "sites", "singular": "site"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"title": {"type": "string"}}},
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


def site(title: str) -> dict[str, Any]:
    return {
        "apiVersion": "trial.example.org/v1",
        "kind": "Site",
        "metadata": {"name": "home"},
        "spec": {"title": title},
    }


@pytest.fixture(scope="module")
def watched(cluster: LiveCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A namespace in which the operator works, and the definition of its kind."""
    name = f"operated-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(DEFINITION))
    cluster.kubectl("wait", "crd/sites.trial.example.org", "--for=condition=Established", "--timeout=60s")
    with operator(cluster, name, tmp_path_factory.mktemp("operator"), OPERATOR):
        yield name
    cluster.kubectl("delete", "crd", "sites.trial.example.org", "--timeout=60s")
    cluster.kubectl("delete", "namespace", name, "--timeout=90s")


def wait(cluster: LiveCluster, namespace: str, what: str, path: str, value: str) -> None:
    cluster.kubectl("wait", what, "-n", namespace, f"--for=jsonpath={{{path}}}={value}", "--timeout=60s")


def apply(cluster: LiveCluster, namespace: str, item: dict[str, Any]) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(item))


def test_custom_resource(cluster: LiveCluster, watched: str) -> None:
    """Handlers of creation, change and deletion with a finalizer, and a timer, on a custom resource."""
    apply(cluster, watched, site("one"))
    wait(cluster, watched, "site/home", ".status.title", "ONE")
    wait(cluster, watched, "site/home", ".status.published.seen", "one")
    found = cluster.get("site", "home", "-n", watched)
    assert found["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
    apply(cluster, watched, site("two"))
    wait(cluster, watched, "site/home", ".status.title", "TWO")
    before = cluster.get("site", "home", "-n", watched)["status"]["ticks"]
    wait(cluster, watched, "site/home", ".status.ticks", str(before + 2))
    cluster.kubectl("delete", "site", "home", "-n", watched, "--timeout=60s")
    events = cluster.kubectl("get", "events", "-n", watched, "--field-selector=reason=Withdrawn")
    assert "home is withdrawn" in events


def test_built_in_kind(cluster: LiveCluster, watched: str) -> None:
    """Handlers of a field and of plain events, on ConfigMaps chosen by label."""
    item = config_map("paint", color="red")
    item["metadata"]["labels"] = {"trial": "event"}
    apply(cluster, watched, item)
    wait(cluster, watched, "configmap/paint", r".metadata.annotations.trial/is", "red")
    wait(cluster, watched, "configmap/paint", r".metadata.annotations.trial/event", "yes")
    item["data"]["color"] = "blue"
    apply(cluster, watched, item)
    wait(cluster, watched, "configmap/paint", r".metadata.annotations.trial/is", "blue")
    annotations = cluster.get("configmap", "paint", "-n", watched)["metadata"]["annotations"]
    assert annotations["trial/was"] == "red"
