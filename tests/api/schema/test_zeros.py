"""Zeros upstream's types cannot tell from nothing go while an object is decoded; all others stay."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from tests.apiserver.rig import account, running
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.protobuf.messages import fields_of
from wherry.api.schema import check, definition, definition_names, source

POD = "io.k8s.api.core.v1.Pod"


@pytest.mark.parametrize(
    ("name", "sent", "kept"),
    [
        ("core.v1.PodSpec", {"hostNetwork": False, "volumes": [], "nodeName": "", "nodeSelector": {}}, {}),
        ("core.v1.PodSpec", {"containers": [], "shareProcessNamespace": False, "priority": 0}, None),
        ("core.v1.PodSpec", {"securityContext": {}, "affinity": {}}, None),
        ("core.v1.Container", {"name": "", "resources": {}, "tty": False, "env": [{"name": "", "value": ""}]},
         {"name": "", "env": [{"name": ""}]}),
        ("core.v1.CSIVolumeSource", {"driver": "", "readOnly": False}, None),
        ("core.v1.NFSVolumeSource", {"path": "/", "readOnly": False}, {"path": "/"}),
        ("core.v1.ServicePort", {"port": 0, "targetPort": 0, "nodePort": 0}, {"port": 0, "targetPort": 0}),
        ("core.v1.ConfigMap", {"data": {"a": ""}, "immutable": False}, None),
        ("apps.v1.DeploymentSpec", {"strategy": {}, "paused": False, "replicas": 0}, {"replicas": 0}),
        ("apps.v1.ReplicaSetStatus", {"replicas": 0, "readyReplicas": 0}, {"replicas": 0}),
        ("networking.v1.NetworkPolicyPeer", {"podSelector": {}, "namespaceSelector": {}}, None),
        ("apps.v1.ControllerRevision", {"data": {"a": {}, "b": False, "c": []}, "revision": 0}, None),
    ],
)  # fmt: skip
def test_what_goes(name: str, sent: dict[str, Any], kept: dict[str, Any] | None) -> None:
    obj = deepcopy(sent)
    assert not check(obj, definition(f"io.k8s.api.{name}"))
    assert obj == (sent if kept is None else kept)
    odd = {**deepcopy(sent), "noSuchField": 1}  # the thorough pass does the same
    assert check(odd, definition(f"io.k8s.api.{name}")).unknown
    assert odd == obj


def test_what_is_applied_keeps_its_zeros() -> None:
    obj: dict[str, Any] = {"spec": {"hostNetwork": False, "containers": []}}
    check(obj, definition(POD), keeps_zeros=True)
    assert obj == {"spec": {"hostNetwork": False, "containers": []}}


def test_lists_whose_emptiness_means_something_stay() -> None:
    rules: dict[str, Any] = {"policies": []}
    check(rules, definition("io.k8s.api.autoscaling.v2.HPAScalingRules"))
    assert rules == {"policies": []}
    meta: dict[str, Any] = {"managedFields": [], "labels": {}}
    check(meta, definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"))
    assert meta == {"managedFields": []}


def test_pointers_are_never_among_what_goes() -> None:
    for name in definition_names():
        message = "k8s.io." + name.replace("-", "_").removeprefix("io.k8s.")
        try:
            pointers = {field.name for field in fields_of(message) if field.is_pointer}
        except KeyError:
            continue
        assert not definition(name).omits & pointers, name


def test_what_is_published_does_not_say_so() -> None:
    assert not {"x-omits", "x-has"} & source("io.k8s.api.core.v1.PodSpec").keys()


async def test_nothing_of_it_is_stored_or_served() -> None:
    async with running() as rig:
        container = {"name": "c", "image": "i", "tty": False, "command": []}
        spec = {"containers": [container], "hostNetwork": False, "nodeSelector": {}}
        sent = {"metadata": {"name": "a", "namespace": "default", "labels": {}}, "spec": spec}
        await rig.admin.create(SERVICE_ACCOUNTS, account())
        await rig.admin.create(PODS, sent)
        patch = {"metadata": {"annotations": {}}, "spec": {"hostPID": False, "tolerations": []}}
        await rig.admin.patch(PODS, "a", "default", patch)
        applied = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"hostIPC": False}}
        path = "/api/v1/namespaces/default/pods/a?fieldManager=me&force=true"
        headers = {"Content-Type": "application/apply-patch+yaml"}
        status, answer, _ = await rig.http("PATCH", path, json.dumps(applied), headers=headers)
        assert status == 200, answer
        stored = json.dumps(await rig.admin.get(PODS, "a", "default"))
        for name in ("tty", "command", "hostNetwork", "hostPID", "nodeSelector", "labels", "annotations"):
            assert f'"{name}"' not in stored, name
        assert '"hostIPC"' not in stored
        assert '"f:hostIPC"' in stored  # who applied it owns it all the same
