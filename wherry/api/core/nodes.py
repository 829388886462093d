"""Node: a machine pods run on.

A node's pod ranges may be set once and then stay, as does its provider's id; taints are unique by key
and effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.resource import Column, Resource, Strategy, Subresource
from wherry.api.validation import validate_object_meta, validate_object_meta_update
from wherry.objects.conditions import find_condition
from wherry.objects.errors import (
    FieldError,
    duplicate_value,
    forbidden_value,
    invalid_value,
    not_supported,
    required,
)
from wherry.objects.meta import Object, labels_of, name_of
from wherry.objects.names import is_cidr, is_label_value, is_qualified_name

ROLE_PREFIX = "node-role.kubernetes.io/"
ROLE_LABEL = "kubernetes.io/role"
TAINT_EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")


class NodeStrategy(Strategy):
    """Rules of nodes."""

    def default(self, obj: Object) -> None:
        """All of a node is allocatable unless it says what is."""
        status = obj.get("status")
        if status and status.get("capacity") and not status.get("allocatable"):
            status["allocatable"] = dict(status["capacity"])

    def prepare(self, new: Object, old: Object | None) -> None:
        """A kubelet registers itself with its status, so creation keeps it."""
        if old is not None:
            super().prepare(new, old)

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        """Metadata, pod ranges, taints, and what never changes."""
        spec = new.get("spec") or {}
        errors = taint_errors(spec.get("taints") or (), "spec.taints")
        errors += _pod_cidr_errors(spec)
        if old is None:
            return validate_object_meta(new, namespaced=False) + errors
        return validate_object_meta_update(new, old) + errors + _changed_errors(spec, old.get("spec") or {})

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        """Metadata; every address once."""
        errors = validate_object_meta_update(new, old)
        seen: list[Any] = []
        for index, address in enumerate((new.get("status") or {}).get("addresses") or ()):
            if address in seen:
                errors.append(duplicate_value(f"status.addresses[{index}]", address))
            seen.append(address)
        return errors

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """Name, Status, Roles, Age, Version; with `-o wide` addresses and software."""
        status = obj.get("status") or {}
        info = status.get("nodeInfo") or {}
        unknown = "<unknown>"
        return [
            name_of(obj),
            _status_words(obj),
            ",".join(node_roles(obj)) or NONE,
            age_of(obj, now),
            info.get("kubeletVersion") or "",
            _address(status, "InternalIP"),
            _address(status, "ExternalIP"),
            info.get("osImage") or unknown,
            info.get("kernelVersion") or unknown,
            info.get("containerRuntimeVersion") or unknown,
        ]


def node_roles(node: Object) -> list[str]:
    """The node's roles by its labels, sorted."""
    roles: set[str] = set()
    for key, value in labels_of(node).items():
        if key.startswith(ROLE_PREFIX) and len(key) > len(ROLE_PREFIX):
            roles.add(key.removeprefix(ROLE_PREFIX))
        elif key == ROLE_LABEL and value:
            roles.add(value)
    return sorted(roles)


def taint_errors(taints: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    """Keys, values and effects of taints, each pair of key and effect once."""
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        at = f"{path}[{index}]"
        key, effect, value = (taint.get(field) or "" for field in ("key", "effect", "value"))
        errors += [invalid_value(f"{at}.key", key, text) for text in is_qualified_name(key)]
        errors += [invalid_value(f"{at}.value", value, text) for text in is_label_value(value)]
        if not effect:
            errors.append(required(f"{at}.effect"))
        elif effect not in TAINT_EFFECTS:
            errors.append(not_supported(f"{at}.effect", effect, TAINT_EFFECTS))
        if (key, effect) in seen:
            errors.append(duplicate_value(at, dict(taint)))
        seen.add((key, effect))
    return errors


def _pod_cidr_errors(spec: Mapping[str, Any]) -> list[FieldError]:
    ranges = spec.get("podCIDRs") or []
    errors = [
        invalid_value(f"spec.podCIDRs[{index}]", text, wrong)
        for index, text in enumerate(ranges)
        for wrong in is_cidr(text)
    ]
    first = spec.get("podCIDR")
    if first and ranges and ranges[0] != first:
        errors.append(invalid_value("spec.podCIDRs[0]", ranges[0], "must match `podCIDR`"))
    if len(ranges) > 2:
        errors.append(
            invalid_value("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family")
        )
    return errors


def _changed_errors(spec: Mapping[str, Any], before: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    had = before.get("podCIDRs") or ([before["podCIDR"]] if before.get("podCIDR") else [])
    has = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    if had and has != had:
        errors.append(
            forbidden_value("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
        )
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        errors.append(
            forbidden_value(
                "spec.providerID", 'node updates may not change providerID except from "" to valid'
            )
        )
    return errors


def _status_words(node: Object) -> str:
    conditions = (node.get("status") or {}).get("conditions")
    ready = find_condition(conditions, "Ready")
    words = ["Unknown"]
    if ready is not None:
        words = ["Ready" if ready.get("status") == "True" else "NotReady"]
    if (node.get("spec") or {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _address(status: Mapping[str, Any], wanted: str) -> str:
    addresses = status.get("addresses") or ()
    return next((a.get("address") or NONE for a in addresses if a.get("type") == wanted), NONE)


def _unschedulable(obj: Object) -> str:
    return "true" if (obj.get("spec") or {}).get("unschedulable") else "false"


NODES = Resource(
    group="",
    version="v1",
    kind="Node",
    plural="nodes",
    namespaced=False,
    short_names=("no",),
    subresources=(
        Subresource("proxy", verbs=("create", "delete", "get", "patch", "update"), kind="NodeProxyOptions"),
        Subresource("status"),
    ),
    strategy=NodeStrategy(),
    columns=(
        NAME,
        Column("Status", description="The status of the node"),
        Column("Roles", description="The roles of the node"),
        AGE,
        Column("Version", description="Version of the kubelet on the node."),
        Column("Internal-IP", description="Address reachable within the cluster.", priority=1),
        Column("External-IP", description="Address reachable from outside.", priority=1),
        Column("OS-Image", description="Operating system of the node.", priority=1),
        Column("Kernel-Version", description="Kernel of the node.", priority=1),
        Column("Container-Runtime", description="Container runtime of the node and its version.", priority=1),
    ),
    selectable={"spec.unschedulable": _unschedulable},
    schema="io.k8s.api.core.v1.Node",
    storage_key="minions",
)
