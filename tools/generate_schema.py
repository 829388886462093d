"""Write the schema table from upstream's published definitions.

Source: the definitions inside the package `kubernetes-validate` (one JSON document, every
`x-kubernetes-*` extension kept), and the table of protobuf messages, which knows what Go leaves out of
JSON. Product: `wherry/api/schema/definitions.txt`, one definition a line ("name JSON"), so that a reader
decodes only the lines it needs. Run `python -m tools.generate_schema` after `generate_protobuf`; a test
compares the file with what this would write.
"""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wherry.api.protobuf.messages import Field, fields_of

API_LEVEL = "v1.37.0"
PACKAGE = Path(__file__).resolve().parent.parent / "wherry" / "api"
TABLE = PACKAGE / "schema" / "definitions.txt"

Json = dict[str, Any]

_REF = "#/$defs/"
_UNRELEASED = re.compile(r"\.v\d+alpha\d+\.")

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"

OMITS, HAS = "x-omits", "x-has"
"""Of a struct: fields whose zero Go's types cannot tell from nothing, and fields Go always writes."""
_VALUES = (".Quantity", ".IntOrString", ".Time", ".MicroTime", ".Duration", ".RawExtension", ".FieldsV1")
"""Structs that stand for a value of their own."""

_ROOT = "io.k8s.api."
# Elsewhere the table of messages does not tell pointers to structs from structs: these are structs.
_STRUCTS = frozenset(("names", "acceptedNames"))
_PARTS = frozenset(("metadata", "spec", "status"))

# Lists that mean something else empty than absent, to upstream's defaults and to ownership.
KEEPS_EMPTY = {
    "io.k8s.api.autoscaling.v2.HPAScalingRules": {"policies"},
    META + "ObjectMeta": {"managedFields"},
}

# Defaults the source leaves out, though patching needs them: keys of list items that may be absent.
DEFAULTS: dict[str, dict[str, Any]] = {
    "io.k8s.api.core.v1.ContainerPort": {"protocol": "TCP"},
    "io.k8s.api.core.v1.ServicePort": {"protocol": "TCP"},
    "io.k8s.api.core.v1.LocalObjectReference": {"name": ""},
}

# Allowed values, which the source leaves out as well: definition below io.k8s.api, field, values.
ENUMS: dict[str, dict[str, str]] = {
    "admissionregistration.v1.MutatingWebhook": {"reinvocationPolicy": "IfNeeded Never"},
    "autoscaling.v2.HPAScalingPolicy": {"type": "Percent Pods"},
    "autoscaling.v2.HPAScalingRules": {"selectPolicy": "Disabled Max Min"},
    "autoscaling.v2.MetricTarget": {"type": "AverageValue Utilization Value"},
    "batch.v1.CronJobSpec": {"concurrencyPolicy": "Allow Forbid Replace"},
    "batch.v1.JobSpec": {
        "completionMode": "Indexed NonIndexed",
        "podReplacementPolicy": "Failed TerminatingOrFailed",
    },
    "batch.v1.PodFailurePolicyRule": {"action": "Count FailIndex FailJob Ignore"},
    "core.v1.Container": {
        "imagePullPolicy": "Always IfNotPresent Never",
        "terminationMessagePolicy": "FallbackToLogsOnError File",
    },
    "core.v1.ContainerPort": {"protocol": "SCTP TCP UDP"},
    "core.v1.EndpointPort": {"protocol": "SCTP TCP UDP"},
    "core.v1.HTTPGetAction": {"scheme": "HTTP HTTPS"},
    "core.v1.NodeSelectorRequirement": {"operator": "DoesNotExist Exists Gt In Lt NotIn"},
    "core.v1.PersistentVolumeClaimSpec": {"volumeMode": "Block Filesystem"},
    "core.v1.PersistentVolumeSpec": {
        "persistentVolumeReclaimPolicy": "Delete Recycle Retain",
        "volumeMode": "Block Filesystem",
    },
    "core.v1.PodSpec": {
        "dnsPolicy": "ClusterFirst ClusterFirstWithHostNet Default None",
        "preemptionPolicy": "Never PreemptLowerPriority",
        "restartPolicy": "Always Never OnFailure",
    },
    "core.v1.ServicePort": {"protocol": "SCTP TCP UDP"},
    "core.v1.ServiceSpec": {
        "externalTrafficPolicy": "Cluster Local",
        "internalTrafficPolicy": "Cluster Local",
        "ipFamilyPolicy": "PreferDualStack RequireDualStack SingleStack",
        "sessionAffinity": "ClientIP None",
        "type": "ClusterIP ExternalName LoadBalancer NodePort",
    },
    "core.v1.Taint": {"effect": "NoExecute NoSchedule PreferNoSchedule"},
    "core.v1.TopologySpreadConstraint": {
        "nodeAffinityPolicy": "Honor Ignore",
        "nodeTaintsPolicy": "Honor Ignore",
        "whenUnsatisfiable": "DoNotSchedule ScheduleAnyway",
    },
    "discovery.v1.EndpointSlice": {"addressType": "FQDN IPv4 IPv6"},
    "flowcontrol.v1.FlowDistinguisherMethod": {"type": "ByNamespace ByUser"},
    "flowcontrol.v1.LimitResponse": {"type": "Queue Reject"},
    "flowcontrol.v1.Subject": {"kind": "Group ServiceAccount User"},
    "networking.v1.HTTPIngressPath": {"pathType": "Exact ImplementationSpecific Prefix"},
    "networking.v1.IngressClassParametersReference": {"scope": "Cluster Namespace"},
    "networking.v1.NetworkPolicyPort": {"protocol": "SCTP TCP UDP"},
    "policy.v1.PodDisruptionBudgetSpec": {"unhealthyPodEvictionPolicy": "AlwaysAllow IfHealthyBudget"},
    "scheduling.v1.PriorityClass": {"preemptionPolicy": "Never PreemptLowerPriority"},
    "scheduling.v1beta1.CompositePodGroupTemplate": {"preemptionPolicy": "Never PreemptLowerPriority"},
    "scheduling.v1beta1.PodGroupSpec": {"preemptionPolicy": "Never PreemptLowerPriority"},
    "scheduling.v1beta1.PodGroupTemplate": {"preemptionPolicy": "Never PreemptLowerPriority"},
    "storage.v1.StorageClass": {
        "reclaimPolicy": "Delete Recycle Retain",
        "volumeBindingMode": "Immediate WaitForFirstConsumer",
    },
}


def load() -> dict[str, Json]:
    """The source's definitions by name, as published."""
    root = importlib.resources.files("kubernetes_validate")
    path = root / "kubernetes-json-schema" / f"{API_LEVEL}-local" / "_definitions.json"
    found: dict[str, Json] = json.loads(path.read_text(encoding="utf-8"))["$defs"]
    return found


def select(source: dict[str, Json]) -> dict[str, Json]:
    """The definitions of beta and released versions and everything they refer to."""
    chosen: dict[str, Json] = {}
    waiting = [name for name in source if not _UNRELEASED.search(name)]
    while waiting:
        name = waiting.pop()
        if name in chosen:
            continue
        chosen[name] = source[name]
        waiting += [ref.removeprefix(_REF) for ref in _refs(source[name])]
    return dict(sorted(chosen.items()))


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        ref = node.get("$ref")
        if isinstance(ref, str):
            yield ref
        for value in node.values():
            yield from _refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _refs(value)


def compact(name: str, definition: Json) -> Json:
    """A definition without prose and without the source's own additions (nullable, fixed kinds)."""
    found = _compact_node(definition)
    properties: dict[str, Json] = found.get("properties", {})
    if found.get("x-kubernetes-group-version-kind"):
        for field in ("apiVersion", "kind"):
            properties.get(field, {}).pop("enum", None)
    for field, default in DEFAULTS.get(name, {}).items():
        properties[field]["default"] = default
    add_go_facts(name, found)
    for field, values in ENUMS.get(name.removeprefix("io.k8s.api."), {}).items():
        properties[field]["enum"] = values.split()
    return found


def add_go_facts(name: str, definition: Json) -> None:
    """Note in a definition what Go leaves out of its JSON form, and what it always writes, in place."""
    declared = definition.get("properties", {}).keys()
    omits, has = set[str](), set[str]()
    for field in _go_fields("k8s.io." + name.replace("-", "_").removeprefix("io.k8s.")):
        if field.is_pointer:
            continue
        if field.is_scalar or field.shape:
            (has if field.keeps_zero else omits).add(field.name)
            continue
        is_kind, is_root = "apiVersion" in declared, name.startswith(_ROOT)
        if field.omits_empty or not (is_root or field.name in (_PARTS if is_kind else _STRUCTS)):
            continue
        has.add(field.name)
        if is_root and not is_kind and not field.type.endswith(_VALUES):
            omits.add(field.name)
    for key, names in ((OMITS, omits - KEEPS_EMPTY.get(name, set())), (HAS, has)):
        definition.pop(key, None)
        if names & declared:
            definition[key] = sorted(names & declared)


def _go_fields(message: str) -> Iterator[Field]:
    """The fields a message has in JSON, those of inlined ones among them."""
    try:
        fields = fields_of(message)
    except KeyError:
        return
    for field in fields:
        if field.is_inline:
            yield from _go_fields(field.type)
        else:
            yield field


def _compact_node(node: Json) -> Json:
    found: Json = {}
    for key, value in node.items():
        if key == "description":
            continue
        if key == "$ref":
            found["$ref"] = value.removeprefix(_REF)
        elif key == "type":
            found["type"] = value if isinstance(value, str) else next(t for t in value if t != "null")
        elif key == "enum":
            found["enum"] = sorted(item for item in value if item is not None)
        elif key == "properties":
            found["properties"] = {field: _compact_node(value[field]) for field in sorted(value)}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            found[key] = _compact_node(value)
        elif key == "oneOf":
            found["oneOf"] = [_compact_node(item) for item in value]
        else:
            found[key] = value
    return dict(sorted(found.items()))


def render_table(definitions: dict[str, Json]) -> str:
    """The schema table: a line per definition, name and JSON with a space between."""
    return "".join(
        f"{name} {json.dumps(definition, separators=(',', ':'))}\n"
        for name, definition in definitions.items()
    )


def render() -> str:
    """The text of the table."""
    return render_table({name: compact(name, body) for name, body in select(load()).items()})


def main() -> None:
    """Write the table."""
    TABLE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
