"""Write the schema table and the TypedDicts from upstream's published definitions.

Source: the definitions inside the package `kubernetes-validate` (one JSON document, every
`x-kubernetes-*` extension kept). Product: `wherry/api/schema/definitions.txt`, one definition a line
("name JSON"), so that a reader decodes only the lines it needs; and `wherry/api/types/*.py`, one
TypedDict a definition. Run `python -m tools.generate_schema`; a test compares the files with what
this would write.
"""

from __future__ import annotations

import importlib.resources
import json
import keyword
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

API_LEVEL = "v1.37.0"
PACKAGE = Path(__file__).resolve().parent.parent / "wherry" / "api"
TABLE = PACKAGE / "schema" / "definitions.txt"
TYPES = PACKAGE / "types"

Json = dict[str, Any]

_REF = "#/$defs/"
_UNRELEASED = re.compile(r"\.v\d+alpha\d+\.")
_API = re.compile(r"io\.k8s\.api\.(?P<group>[a-z]+)\.(?P<version>v\d\w*)\.(?P<kind>\w+)")

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
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

# Modules of definitions that are not `io.k8s.api.<group>.<version>`.
_MODULES = {
    META: "meta",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.": "apiextensions",
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.": "apiregistration",
    "io.k8s.apimachinery.pkg.version.": "version",
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


def module_of(name: str) -> str:
    """The module of `wherry.api.types` a definition's TypedDict lives in, "" for none of its own."""
    if match := _API.fullmatch(name):
        version = match["version"]
        return match["group"] if version == "v1" else f"{match['group']}_{version}"
    return next((module for prefix, module in _MODULES.items() if name.startswith(prefix)), "")


def render_types(definitions: dict[str, Json]) -> dict[str, str]:
    """The text of each module of TypedDicts, by module name."""
    modules: dict[str, list[str]] = defaultdict(list)
    for name, definition in definitions.items():
        module = module_of(name)
        if module and "properties" in definition:
            modules[module].append(name)
    released = {module: set(map(_short, names)) for module, names in modules.items()}
    return {
        module: _render_module(module, names, definitions)
        for module, names in modules.items()
        # A beta whose kinds are all released is converted, and worked with as what was released.
        if "beta" not in module or not _kinds(names) <= released.get(module.rpartition("_")[0], set())
    }


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _kinds(names: list[str]) -> set[str]:
    """The kinds among the definitions: what there are lists of."""
    return {_short(name).removesuffix("List") for name in names if name.endswith("List")}


def _render_module(module: str, names: list[str], definitions: dict[str, Json]) -> str:
    others: set[str] = set()
    bodies = [_render_type(name, definitions, module, others) for name in names]
    text = "".join(f"\n\n{body}" for body in bodies)
    typing = ", ".join(
        word for word in ("TYPE_CHECKING", "Any", "TypedDict") if word in text or (word[1] == "Y" and others)
    )
    lines = [
        "# Written by tools/generate_schema.py; do not edit.",
        f'"""TypedDicts of the API\'s `{module}` types, for the type checker only."""',
        "",
        "from __future__ import annotations",
        "",
        f"from typing import {typing}",
    ]
    if others:
        lines += ["", "if TYPE_CHECKING:", f"    from wherry.api.types import {', '.join(sorted(others))}"]
    return "\n".join(lines) + "\n" + text


def _render_type(name: str, definitions: dict[str, Json], module: str, others: set[str]) -> str:
    short = _short(name)
    fields = {
        field: _annotation(node, definitions, module, others)
        for field, node in definitions[name]["properties"].items()
    }
    if all(field.isidentifier() and not keyword.iskeyword(field) for field in fields):
        body = "".join(f"    {field}: {kind}\n" for field, kind in fields.items())
        return f"class {short}(TypedDict, total=False):\n{body}"
    entries = "".join(f'        "{field}": "{kind}",\n' for field, kind in fields.items())
    return f'{short} = TypedDict(\n    "{short}",\n    {{\n{entries}    }},\n    total=False,\n)\n'


def _annotation(node: Json, definitions: dict[str, Json], module: str, others: set[str]) -> str:
    if ref := node.get("$ref"):
        return _reference(ref, definitions, module, others)
    match node.get("type"):
        case "array":
            return f"list[{_annotation(node['items'], definitions, module, others)}]"
        case "object" if "additionalProperties" in node:
            return f"dict[str, {_annotation(node['additionalProperties'], definitions, module, others)}]"
        case "object":
            return "dict[str, Any]"
        case "string":
            return "str"
        case "integer":
            return "int"
        case "number":
            return "float"
        case "boolean":
            return "bool"
        case _:
            return "Any"


def _reference(ref: str, definitions: dict[str, Json], module: str, others: set[str]) -> str:
    if ref == QUANTITY:
        return "str | int | float"
    if ref == INT_OR_STRING:
        return "int | str"
    target = definitions[ref]
    if "properties" not in target:
        return _annotation(target, definitions, module, others)
    home, short = module_of(ref), _short(ref)
    if not home:
        return "Any"
    if home == module:
        return short
    others.add(home)
    return f"{home}.{short}"


def render() -> dict[Path, str]:
    """Every generated file with its text."""
    definitions = {name: compact(name, body) for name, body in select(load()).items()}
    files = {TABLE: render_table(definitions)}
    for module, text in render_types(definitions).items():
        files[TYPES / f"{module}.py"] = text
    return files


def main() -> None:
    """Write the files and remove those no longer generated."""
    files = render()
    TYPES.mkdir(exist_ok=True)
    for path in TYPES.glob("*.py"):
        if path not in files and path.name != "__init__.py":
            path.unlink()
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
