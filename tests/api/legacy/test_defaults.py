"""The defaults of old versions, where they are others than today's."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.catalog import by_kind
from wherry.api.resource import Resource
from wherry.objects.meta import Object

UNLIMITED = 2147483647
LABELS = {"app": "web"}


def served(api_version: str, kind: str) -> Resource:
    found = by_kind(api_version, kind)
    assert found is not None
    return found


def defaulted(api_version: str, kind: str, **spec: Any) -> Object:
    template = {
        "metadata": {"labels": dict(LABELS)},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]},
    }
    obj: Object = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": {"template": template, **spec},
    }
    served(api_version, kind).strategy.default(obj)
    return obj


def rolling(unavailable: int | str, surge: int | str) -> Object:
    return {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge},
    }


@pytest.mark.parametrize(
    ("api_version", "history", "deadline_s", "strategy", "selector"),
    [
        ("extensions/v1beta1", UNLIMITED, UNLIMITED, rolling(1, 1), {"matchLabels": LABELS}),
        ("apps/v1beta1", 2, 600, rolling("25%", "25%"), {"matchLabels": LABELS}),
        ("apps/v1beta2", 10, 600, rolling("25%", "25%"), None),
        ("apps/v1", 10, 600, rolling("25%", "25%"), None),
    ],
)
def test_deployments(
    api_version: str, history: int, deadline_s: int, strategy: Object, selector: Object | None
) -> None:
    obj = defaulted(api_version, "Deployment")
    spec = obj["spec"]
    assert spec["revisionHistoryLimit"] == history
    assert spec["progressDeadlineSeconds"] == deadline_s
    assert spec["strategy"] == strategy
    assert spec.get("selector") == selector
    assert obj["metadata"].get("labels") == (LABELS if selector else None)
    assert spec["replicas"] == 1
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert obj["apiVersion"] == api_version


def test_a_deployment_that_recreates_gets_no_rolling_update() -> None:
    spec = defaulted("extensions/v1beta1", "Deployment", strategy={"type": "Recreate"})["spec"]
    assert spec["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize(
    ("api_version", "kind", "update", "selector"),
    [
        ("extensions/v1beta1", "DaemonSet", "OnDelete", {"matchLabels": LABELS}),
        ("apps/v1beta2", "DaemonSet", "RollingUpdate", None),
        ("apps/v1beta1", "StatefulSet", "OnDelete", {"matchLabels": LABELS}),
        ("apps/v1beta2", "StatefulSet", "RollingUpdate", None),
    ],
)
def test_update_strategies(api_version: str, kind: str, update: str, selector: Object | None) -> None:
    spec = defaulted(api_version, kind)["spec"]
    assert spec["updateStrategy"]["type"] == update
    assert spec.get("selector") == selector


@pytest.mark.parametrize(
    ("given", "labels", "selector"),
    [
        ({}, LABELS, {"matchLabels": LABELS}),
        ({"labels": {"mine": "1"}}, {"mine": "1"}, {"matchLabels": LABELS}),
    ],
)
def test_a_replica_set_takes_labels_from_its_template(
    given: Object, labels: Object, selector: Object
) -> None:
    obj = defaulted("extensions/v1beta1", "ReplicaSet")
    obj["metadata"] = {"name": "web", **given}
    obj["spec"].pop("selector")
    served("extensions/v1beta1", "ReplicaSet").strategy.default(obj)
    assert obj["metadata"]["labels"] == labels
    assert obj["spec"]["selector"] == selector


def test_the_metadata_stays_the_same_object() -> None:
    """The API server holds on to it while the strategy works."""
    obj = {"apiVersion": "extensions/v1beta1", "kind": "DaemonSet", "metadata": {"name": "web"}}
    strategy, meta = served("extensions/v1beta1", "DaemonSet").strategy, obj["metadata"]
    strategy.default(obj)
    strategy.prepare(obj, None)
    assert obj["metadata"] is meta
    assert obj["spec"]["templateGeneration"] == 1  # type: ignore[index]


def path(**more: Any) -> Object:
    return {"path": "/a", "backend": {"serviceName": "s", "servicePort": 80}, **more}


@pytest.mark.parametrize("api_version", ["extensions/v1beta1", "networking.k8s.io/v1beta1"])
def test_ingress_paths(api_version: str) -> None:
    rules = [{"http": {"paths": [path(), path(pathType="Exact")]}}, {"host": "a"}]
    obj = {
        "apiVersion": api_version,
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {"rules": rules},
    }
    served(api_version, "Ingress").strategy.default(obj)
    assert obj["spec"] == {
        "rules": [
            {"http": {"paths": [path(pathType="ImplementationSpecific"), path(pathType="Exact")]}},
            {"host": "a"},
        ]
    }
