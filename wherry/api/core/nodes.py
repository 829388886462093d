"""Node: a machine pods run on.

A node's pod ranges may be set once and then stay, as does its provider's id; taints are unique by key
and effect.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.core.pod_spec.resources import quantity_errors
from wherry.api.resource import Column, Resource, Strategy, Subresource
from wherry.api.validation import (
    check_text,
    validate_object_meta,
    validate_object_meta_update,
    validate_off,
)
from wherry.objects.conditions import find_condition
from wherry.objects.errors import (
    FieldError,
    duplicate_value,
    forbidden_value,
    invalid_value,
    not_supported,
    required,
    show_value,
)
from wherry.objects.meta import Object, labels_of, name_of
from wherry.objects.names import (
    cidr_errors,
    config_key_errors,
    dns1123_label_errors,
    dns1123_subdomain_errors,
    label_value_errors,
    qualified_name_errors,
)
from wherry.objects.repeats import repeated

ROLE_PREFIX = "node-role.kubernetes.io/"
ROLE_LABEL = "kubernetes.io/role"
TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class NodeStrategy(Strategy):
    """Rules of nodes."""

    def default(self, obj: Object) -> None:
        """All of a node is allocatable unless it says what is; the first pod range is told twice."""
        status = obj.get("status")
        if status and status.get("capacity") and not status.get("allocatable"):
            status["allocatable"] = dict(status["capacity"])
        spec = obj.get("spec") or {}
        first, ranges = spec.get("podCIDR"), spec.get("podCIDRs")
        if first and (not ranges or ranges[0] != first):
            spec["podCIDRs"] = [first]
        elif ranges and not first:
            spec["podCIDR"] = ranges[0]

    def prepare(self, new: Object, old: Object | None) -> None:
        """A kubelet registers itself with its status, so creation keeps it."""
        if old is not None:
            super().prepare(new, old)

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        """Metadata, pod ranges, taints, and what never changes."""
        spec = new.get("spec") or {}
        errors = taint_errors(spec.get("taints") or (), "metadata.taints")  # upstream names it so
        errors += validate_off(new, old, "spec.podPreemptionPolicy")
        if old is None:
            errors = validate_object_meta(new, namespaced=False) + errors
            return errors + _resource_errors(new) + _pod_cidr_errors(spec)
        errors = validate_object_meta_update(new, old) + errors
        errors += _resource_errors(new) + _address_errors(new)
        if (source := spec.get("configSource")) is not None:
            errors += _config_errors(source, "spec.configSource")
        return errors + _changed_errors(spec, old.get("spec") or {})

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        """Metadata, amounts; every address once."""
        return validate_object_meta_update(new, old) + _resource_errors(new) + _address_errors(new)

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        """Fields that have lost their meaning."""
        spec = new.get("spec") or {}
        texts = []
        if spec.get("configSource") is not None:
            texts.append("spec.configSource: the feature is no longer supported")
        if spec.get("externalID"):
            texts.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
        return texts

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
        errors += [invalid_value(f"{at}.key", key, text) for text in qualified_name_errors(key)]
        if wrong := label_value_errors(value):
            errors.append(invalid_value(f"{at}.value", value, ";".join(wrong)))
        if not effect:
            errors.append(required(f"{at}.effect"))
        elif effect not in TAINT_EFFECTS:
            errors.append(not_supported(f"{at}.effect", effect, TAINT_EFFECTS))
        if (key, effect) in seen:
            shown = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": taint.get("timeAdded")}
            text = "taints must be unique by key and effect pair"
            errors.append(
                FieldError("FieldValueDuplicate", at, f"Duplicate value: {show_value(shown)}: {text}")
            )
        seen.add((key, effect))
    return errors


def _resource_errors(node: Object) -> list[FieldError]:
    status = node.get("status") or {}
    return [
        invalid_value(f"status.{field}.{name}", amount, text)
        for field in ("capacity", "allocatable")
        for name, amount in (status.get(field) or {}).items()
        for text in quantity_errors(name, amount)
    ]


def _address_errors(node: Object) -> list[FieldError]:
    addresses = (node.get("status") or {}).get("addresses") or []
    return [duplicate_value(f"status.addresses[{index}]", address) for index, address in repeated(addresses)]


def _pod_cidr_errors(spec: Mapping[str, Any]) -> list[FieldError]:
    ranges, path = spec.get("podCIDRs") or [], "spec.podCIDRs"
    errors = [
        invalid_value(f"{path}[{index}]", text, wrong)
        for index, text in enumerate(ranges)
        for wrong in cidr_errors(text)
    ]
    if errors or len(ranges) < 2:
        return errors
    if len({ipaddress.ip_interface(text).version for text in ranges}) < len(ranges):
        why = "may specify no more than one CIDR for each IP family"
        errors.append(invalid_value(path, ranges, why))
    return errors + [duplicate_value(f"{path}[{index}]", text) for index, text in repeated(ranges)]


def _config_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    """Where a kubelet's configuration was once to be found; no longer acted on, still checked."""
    config = source.get("configMap")
    if config is None:
        return [invalid_value(path, dict(source), "exactly one reference subfield must be non-nil")]
    at = f"{path}.configMap"
    errors = [
        forbidden_value(f"{at}.{name}", f"{name} must not be set in spec")
        for name in ("uid", "resourceVersion")
        if config.get(name)
    ]
    for name, check in (
        ("namespace", dns1123_label_errors),
        ("name", dns1123_subdomain_errors),
        ("kubeletConfigKey", config_key_errors),
    ):
        value = config.get(name)
        if value:
            errors += check_text(f"{at}.{name}", value, check)
        else:
            errors.append(required(f"{at}.{name}", f"{name} must be set"))
    return errors


def _changed_errors(spec: Mapping[str, Any], before: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    had = before.get("podCIDRs") or ([before["podCIDR"]] if before.get("podCIDR") else [])
    has = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    if had and has != had:
        errors.append(
            forbidden_value("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
        )
    if (spec.get("externalID") or "") != (before.get("externalID") or ""):
        errors.append(forbidden_value("spec.externalID", "may not be updated"))
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
