"""Write the schema table from upstream's published definitions.

Source: the definitions inside the package `kubernetes-validate` (one JSON document, every
`x-kubernetes-*` extension kept). Product: `wherry/api/schema/definitions.txt`, one definition a line
("name JSON"), so that a reader decodes only the lines it needs. Run `python -m tools.generate_schema`; a
test compares the file with what this would write.
"""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

API_LEVEL = "v1.37.0"
PACKAGE = Path(__file__).resolve().parent.parent / "wherry" / "api"
TABLE = PACKAGE / "schema" / "definitions.txt"

Json = dict[str, Any]

_REF = "#/$defs/"
_UNRELEASED = re.compile(r"\.v\d+alpha\d+\.")

INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"

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
    for field, values in ENUMS.get(name.removeprefix("io.k8s.api."), {}).items():
        properties[field]["enum"] = values.split()
    return found


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
