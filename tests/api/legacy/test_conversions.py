"""The conversions of old versions, one example for each thing that was different."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from wherry.api.apps.daemon_sets import DAEMON_SETS
from wherry.api.legacy.disruption_selectors import MARK, from_policy_v1, to_policy_v1
from wherry.api.legacy.extensions_v1beta1.daemon_sets import DAEMON_SETS as OLD_DAEMON_SETS
from wherry.api.legacy.extensions_v1beta1.deployments import DEPLOYMENTS as OLD_DEPLOYMENTS
from wherry.api.legacy.extensions_v1beta1.ingresses import INGRESSES as OLD_INGRESSES
from wherry.api.legacy.ingress_backends import from_networking_v1, to_networking_v1
from wherry.api.legacy.rollbacks import from_apps_v1, to_apps_v1
from wherry.objects.meta import Object


@pytest.mark.parametrize(
    ("old", "modern"),
    [
        ({"serviceName": "s", "servicePort": 80}, {"service": {"name": "s", "port": {"number": 80}}}),
        ({"serviceName": "s", "servicePort": "http"}, {"service": {"name": "s", "port": {"name": "http"}}}),
        ({"serviceName": "s"}, {"service": {"name": "s"}}),
        ({"resource": {"kind": "B", "name": "b"}}, {"resource": {"kind": "B", "name": "b"}}),
        ({}, {}),
    ],
)
def test_ingress_backends(old: Object, modern: Object) -> None:
    ours = {"spec": {"backend": old, "rules": [{"host": "h", "http": {"paths": [{"backend": old}]}}]}}
    theirs = {
        "apiVersion": "networking.k8s.io/v1",
        "spec": {
            "defaultBackend": modern,
            "rules": [{"host": "h", "http": {"paths": [{"backend": modern}]}}],
        },
    }
    assert to_networking_v1(ours) == theirs
    back = from_networking_v1("extensions/v1beta1")(theirs)
    assert back == {"apiVersion": "extensions/v1beta1", **ours}


@pytest.mark.parametrize("nothing", [{"serviceName": "", "servicePort": 0}, {"servicePort": 0}])
def test_a_backend_of_zero_values_names_no_service(nothing: Object) -> None:
    made = to_networking_v1({"spec": {"backend": nothing}})
    assert made["spec"] == {"defaultBackend": {}}


def test_a_name_wins_over_a_number() -> None:
    service = {"name": "s", "port": {"name": "http", "number": 80}}
    made = from_networking_v1("extensions/v1beta1")({"spec": {"defaultBackend": {"service": service}}})
    assert made["spec"]["backend"] == {"serviceName": "s", "servicePort": "http"}


def test_errors_speak_of_the_old_field() -> None:
    obj = {"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {"name": "a", "namespace": "n"}}
    (error,) = OLD_INGRESSES.strategy.validate(obj, None)
    assert error.message == "Invalid value: []: either `backend` or `rules` must be specified"


EVERY = {"matchExpressions": [{"key": MARK, "operator": "DoesNotExist"}]}
NONE = {"matchExpressions": [{"key": MARK, "operator": "Exists"}]}
MIXED = {"matchLabels": {"a": "b"}, **EVERY}


@pytest.mark.parametrize(
    ("old", "modern"),
    [
        ({}, NONE),
        ({"matchLabels": {}, "matchExpressions": []}, NONE),
        (EVERY, {}),
        (NONE, NONE),
        ({"matchLabels": {"a": "b"}}, {"matchLabels": {"a": "b"}}),
        (MIXED, {"matchLabels": {"a": "b"}}),
        (None, None),
    ],
)
def test_budget_selectors_to_v1(old: Object | None, modern: Object | None) -> None:
    assert to_policy_v1({"spec": {"selector": old}})["spec"]["selector"] == modern


@pytest.mark.parametrize(
    ("modern", "old"),
    [({}, EVERY), (NONE, {}), (MIXED, {"matchLabels": {"a": "b"}}), (None, None)],
)
def test_budget_selectors_from_v1(modern: Object | None, old: Object | None) -> None:
    assert from_policy_v1({"spec": {"selector": modern}})["spec"]["selector"] == old


KEY = "deprecated.deployment.rollback.to"


@pytest.mark.parametrize(
    ("spec", "annotations"),
    [
        ({"rollbackTo": {"revision": 3}}, {KEY: "3"}),
        ({"rollbackTo": {}}, {KEY: "0"}),
    ],
)
def test_rollbacks(spec: Object, annotations: Object) -> None:
    stored = to_apps_v1({"metadata": {"name": "a"}, "spec": {"replicas": 1, **spec}})
    assert stored["metadata"]["annotations"] == annotations
    assert stored["spec"] == {"replicas": 1}
    back = from_apps_v1("apps/v1beta1")(stored)
    assert back == {
        "apiVersion": "apps/v1beta1",
        "metadata": {"name": "a"},
        "spec": {"replicas": 1, **spec},
    }


def daemon_set(image: str, api_version: str = "apps/v1") -> Object:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {
        "apiVersion": api_version,
        "kind": "DaemonSet",
        "metadata": {"name": "d", "namespace": "n"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }


def test_the_template_generation_counts_changes_of_the_template() -> None:
    counter = "deprecated.daemonset.template.generation"
    first = daemon_set("a")
    DAEMON_SETS.strategy.prepare(first, None)
    assert first["metadata"]["annotations"] == {counter: "1"}
    same = daemon_set("a")
    same["metadata"]["annotations"] = {counter: "9", "mine": "1"}
    DAEMON_SETS.strategy.prepare(same, first)
    assert same["metadata"]["annotations"] == {counter: "1", "mine": "1"}
    changed = daemon_set("b")
    DAEMON_SETS.strategy.prepare(changed, first)
    assert changed["metadata"]["annotations"] == {counter: "2"}

    convert = OLD_DAEMON_SETS.from_storage
    assert convert is not None
    old = convert(changed)
    assert old["spec"]["templateGeneration"] == 2
    assert "annotations" not in old["metadata"]


def test_selectors_may_change_in_the_first_versions_only() -> None:
    strategy = OLD_DAEMON_SETS.strategy
    old, new = daemon_set("a", "extensions/v1beta1"), daemon_set("a", "extensions/v1beta1")
    new["spec"]["selector"] = {"matchLabels": {"a": "b", "c": "d"}}
    new["spec"]["template"]["metadata"]["labels"] = {"a": "b", "c": "d"}
    for obj in (old, new):
        strategy.default(obj)
        strategy.prepare(obj, None)
        obj["metadata"]["resourceVersion"] = "1"
    assert strategy.validate(new, old) == []
    to_storage = OLD_DAEMON_SETS.to_storage
    assert to_storage is not None
    fields = [error.field for error in DAEMON_SETS.strategy.validate(to_storage(new), to_storage(old))]
    assert fields == ["spec.selector"]


def test_cells_are_the_present_versions() -> None:
    obj = {"apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {}}
    OLD_DEPLOYMENTS.strategy.default(obj)
    cells = OLD_DEPLOYMENTS.strategy.cells(obj, datetime(2026, 1, 1, tzinfo=UTC))
    assert cells[:4] == ["a", "0/1", 0, 0]
