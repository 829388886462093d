"""Apply and strategic merge over the real schema tables, where merge keys have defaults."""

from __future__ import annotations

from typing import Any

from wherry.api.schema import definition
from wherry.objects.managed_fields import merge_apply, track_update
from wherry.objects.patches import apply_strategic_patch

POD = definition("io.k8s.api.core.v1.Pod")


def pod(*ports: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"a": "1"}},
        "spec": {"containers": [{"name": "c", "image": "i", "ports": list(ports)}]},
    }


def test_a_port_is_the_same_before_and_after_defaulting() -> None:
    live = pod({"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "UDP"})
    live["metadata"]["managedFields"] = track_update(None, live, "upd", POD, "v1", "", "t")
    obj, conflicts = merge_apply(
        live, pod({"containerPort": 80, "name": "web"}), "me", False, POD, "v1", "", "t"
    )
    assert conflicts == []
    assert obj["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "protocol": "TCP", "name": "web"},
        {"containerPort": 80, "protocol": "UDP"},
    ]


def test_created_pods_show_upstreams_fields() -> None:
    entries = track_update(None, pod({"containerPort": 80, "protocol": "TCP"}), "m", POD, "v1", "", "t")
    fields = entries[0]["fieldsV1"]
    assert fields["f:metadata"] == {"f:labels": {".": {}, "f:a": {}}}
    container = fields["f:spec"]["f:containers"]['k:{"name":"c"}']
    port = 'k:{"containerPort":80,"protocol":"TCP"}'
    assert container["f:ports"][port] == {".": {}, "f:containerPort": {}, "f:protocol": {}}


def test_status_conditions_are_owned_one_by_one() -> None:
    old = pod()
    old["metadata"]["managedFields"] = track_update(None, old, "kubectl", POD, "v1", "", "s")
    new = {**old, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    entries = track_update(old, new, "kubelet", POD, "v1", "status", "t", frozenset(("spec",)))
    (fields,) = (entry["fieldsV1"] for entry in entries if entry["manager"] == "kubelet")
    assert fields == {
        "f:status": {
            "f:phase": {},
            "f:conditions": {
                ".": {},
                'k:{"type":"Ready"}': {".": {}, "f:type": {}, "f:status": {}},
            },
        }
    }


def test_strategic_merge_knows_the_merge_keys() -> None:
    patch = {
        "spec": {
            "containers": [
                {"name": "c", "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 81}]}
            ],
            "tolerations": [{"key": "k"}],
        }
    }
    obj = apply_strategic_patch(pod({"containerPort": 80}), patch, POD)
    container = obj["spec"]["containers"][0]
    assert container["image"] == "i"
    assert container["ports"] == [{"containerPort": 81}, {"containerPort": 80}]
    assert obj["spec"]["tolerations"] == [{"key": "k"}]
