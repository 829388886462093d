"""What a write of status leaves alone, kind by kind: as the status strategies in upstream's pkg/registry."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.api.every_kind.facts import FACTS
from tests.api.every_kind.judge import created
from wherry.api.resource import Resource, restore

SPEC = frozenset(("spec",))
ALL = frozenset(("spec", "metadata"))
RESETS = {
    "APIService": ALL,
    "CertificateSigningRequest": frozenset(("spec", "status.conditions")),
    "CronJob": SPEC,
    "CustomResourceDefinition": ALL,
    "DaemonSet": SPEC,
    "Deployment": frozenset(("spec", "metadata.labels")),
    "DeviceTaintRule": ALL,
    "FlowSchema": ALL,
    "HorizontalPodAutoscaler": SPEC,
    "Ingress": SPEC,
    "Job": SPEC,
    "Namespace": SPEC,
    "Node": SPEC,
    "PersistentVolume": SPEC,
    "PersistentVolumeClaim": SPEC,
    "Pod": frozenset(("spec", "metadata.deletionTimestamp", "metadata.ownerReferences")),
    "PodCertificateRequest": ALL,
    "PodDisruptionBudget": SPEC,
    "PodGroup": ALL,
    "PriorityLevelConfiguration": ALL,
    "ReplicaSet": SPEC,
    "ReplicationController": SPEC,
    "ResourceClaim": ALL,
    "ResourceQuota": SPEC,
    "Service": SPEC,
    "ServiceCIDR": SPEC,
    "StatefulSet": SPEC,
    "StorageVersionMigration": ALL,
    "ValidatingAdmissionPolicy": ALL,
    "VolumeAttachment": ALL,
}
"""Of each kind with a status subresource the fields its GetResetFields names."""
UNOWNED_BUT_WRITTEN = {"CustomResourceDefinition"}
"""Whose metadata nobody comes to own by a write of status, though it is let through."""
MINE: dict[str, Any] = {
    "labels": {"mine": "yes"},
    "annotations": {"mine": "yes"},
    "finalizers": ["example.com/mine"],
    "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "mine", "uid": "1"}],
}

WITH_STATUS = [resource for resource in FACTS if resource.has_status]


@pytest.mark.parametrize("resource", WITH_STATUS, ids=lambda r: f"{r.api_version} {r.kind}")
def test_resets(resource: Resource) -> None:
    assert frozenset(resource.strategy.status_resets) == RESETS[resource.kind]


@pytest.mark.parametrize("resource", WITH_STATUS, ids=lambda r: f"{r.api_version} {r.kind}")
def test_metadata_and_spec(resource: Resource) -> None:
    facts = FACTS[resource]
    assert facts is not None
    old = created(resource, facts.object)
    before = deepcopy(old)
    new = deepcopy(old)
    mine = deepcopy(MINE)
    mine["annotations"].update(old["metadata"].get("annotations") or {})
    new["metadata"].update(mine)
    new["spec"] = {**(old.get("spec") or {}), "other": True}
    resource.strategy.prepare_status(new, old)
    assert old == before
    assert new["spec"] == old["spec"]
    resets = RESETS[resource.kind]
    for name, value in mine.items():
        is_reset = f"metadata.{name}" in resets or (
            "metadata" in resets and resource.kind not in UNOWNED_BUT_WRITTEN
        )
        wanted = old["metadata"].get(name) if is_reset else value
        assert new["metadata"].get(name) == wanted, name


def test_restoring_leaves_no_trace_of_what_was_not_there() -> None:
    new = {"metadata": {"labels": {"a": "b"}, "name": "x"}, "spec": {}}
    restore(new, {"metadata": {"name": "x"}}, "metadata")
    restore(new, {}, "spec")
    assert new == {"metadata": {"name": "x"}}
