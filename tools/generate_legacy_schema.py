"""Write the schema table of old API versions out of that of their successors.

The old kinds are hardly different: a few fields were renamed, added or made mandatory since. So each
old definition is its successor's with the references turned back and the differences below put in.
Product: `wherry/api/schema/legacy.txt`, in the form of `definitions.txt`. Run
`python -m tools.generate_legacy_schema` after `generate_schema`; a test compares the file with what
this would write.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from tools.generate_schema import INT_OR_STRING, PACKAGE, add_go_facts

MODERN = PACKAGE / "schema" / "definitions.txt"
TABLE = PACKAGE / "schema" / "legacy.txt"
API = "io.k8s.api."
GVK = "x-kubernetes-group-version-kind"

Json = dict[str, Any]

SCALE_STATUS: Json = {
    "type": "object",
    "required": ["replicas"],
    "properties": {
        "replicas": {"type": "integer", "format": "int32"},
        "selector": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "x-kubernetes-map-type": "atomic",
        },
        "targetSelector": {"type": "string"},
    },
}
ROLLBACK_CONFIG: Json = {
    "type": "object",
    "properties": {"revision": {"type": "integer", "format": "int64"}},
}


def deployment_rollback(package: str, group: str) -> Json:
    """The body of a deployment's `rollback` subresource."""
    return {
        "type": "object",
        "required": ["name", "rollbackTo"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "name": {"type": "string"},
            "rollbackTo": {"$ref": f"{API}{package}.RollbackConfig"},
            "updatedAnnotations": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        GVK: [{"group": group, "kind": "DeploymentRollback", "version": package.rpartition(".")[2]}],
    }


# Old package -> (API group, successors' kinds by package).
SUCCESSORS: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    "extensions.v1beta1": (
        "extensions",
        {
            "apps.v1": ("Deployment", "DaemonSet", "ReplicaSet"),
            "networking.v1": ("Ingress", "NetworkPolicy"),
            "autoscaling.v1": ("Scale",),
        },
    ),
    "apps.v1beta1": (
        "apps",
        {
            "apps.v1": ("Deployment", "StatefulSet", "ControllerRevision"),
            "autoscaling.v1": ("Scale",),
        },
    ),
    "apps.v1beta2": (
        "apps",
        {
            "apps.v1": ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ControllerRevision"),
            "autoscaling.v1": ("Scale",),
        },
    ),
    "networking.v1beta1": ("networking.k8s.io", {"networking.v1": ("Ingress", "IngressClass")}),
    "batch.v1beta1": ("batch", {"batch.v1": ("CronJob",)}),
    "policy.v1beta1": ("policy", {"policy.v1": ("PodDisruptionBudget", "Eviction")}),
    "rbac.v1beta1": (
        "rbac.authorization.k8s.io",
        {"rbac.v1": ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")},
    ),
}
# Types of batch/v1 that batch/v1beta1 uses as they are.
SHARED = {"batch.v1beta1": frozenset({"JobSpec"})}


def load() -> dict[str, Json]:
    """The successors' definitions by name."""
    lines = MODERN.read_text(encoding="utf-8").splitlines()
    return {name: json.loads(text) for name, _, text in (line.partition(" ") for line in lines)}


def derive(modern: dict[str, Json]) -> dict[str, Json]:
    """Every old definition by name."""
    made: dict[str, Json] = {}
    for package, (group, successors) in SUCCESSORS.items():
        for source, kinds in successors.items():
            for kind in kinds:
                _copy(modern, made, package, group, source, kind)
                if f"{API}{source}.{kind}List" in modern:
                    _copy(modern, made, package, group, source, f"{kind}List")
        _differ(made, package, group)
    return dict(sorted(made.items()))


def _copy(
    modern: dict[str, Json], made: dict[str, Json], package: str, group: str, source: str, kind: str
) -> None:
    """Take over one definition and those of the same package it refers to."""
    name = f"{API}{package}.{kind}"
    if name in made:
        return
    node = made[name] = copy.deepcopy(modern[f"{API}{source}.{kind}"])
    if GVK in node:
        node[GVK] = [{"group": group, "kind": kind, "version": package.rpartition(".")[2]}]
    for referring in _referring(node):
        short = referring["$ref"].removeprefix(f"{API}{source}.")
        if short != referring["$ref"] and short not in SHARED.get(package, ()):
            referring["$ref"] = f"{API}{package}.{short}"
            _copy(modern, made, package, group, source, short)


def _referring(node: Any) -> list[Json]:
    if isinstance(node, list):
        return [found for item in node for found in _referring(item)]
    if not isinstance(node, dict):
        return []
    found = [node] if isinstance(node.get("$ref"), str) else []
    return found + [deeper for value in node.values() for deeper in _referring(value)]


def _differ(made: dict[str, Json], package: str, group: str) -> None:
    """Put in what was different in an old package."""
    at = f"{API}{package}."
    if at + "ScaleStatus" in made:
        made[at + "ScaleStatus"] = copy.deepcopy(SCALE_STATUS)
    if package in ("extensions.v1beta1", "apps.v1beta1"):
        for kind in ("Deployment", "DaemonSet", "StatefulSet"):
            if at + f"{kind}Spec" in made:
                _optional(made[at + f"{kind}Spec"], "selector")
        if at + "ReplicaSetSpec" in made:
            _optional(made[at + "ReplicaSetSpec"], "selector")
        _properties(made, at + "DeploymentSpec")["rollbackTo"] = {"$ref": at + "RollbackConfig"}
        made[at + "RollbackConfig"] = copy.deepcopy(ROLLBACK_CONFIG)
        made[at + "DeploymentRollback"] = deployment_rollback(package, group)
    if package == "extensions.v1beta1":
        counter = {"type": "integer", "format": "int64"}
        _properties(made, at + "DaemonSetSpec")["templateGeneration"] = counter
    if at + "IngressSpec" in made:
        _differ_ingress(made, at)
    if package == "policy.v1beta1":
        _properties(made, at + "PodDisruptionBudgetSpec")["selector"].pop("x-kubernetes-patch-strategy", None)


def _differ_ingress(made: dict[str, Json], at: str) -> None:
    spec = _properties(made, at + "IngressSpec")
    spec["backend"] = spec.pop("defaultBackend")
    backend = made[at + "IngressBackend"]
    backend["properties"].pop("service")
    backend["properties"]["serviceName"] = {"type": "string"}
    backend["properties"]["servicePort"] = {"$ref": INT_OR_STRING}
    for gone in ("IngressServiceBackend", "ServiceBackendPort"):
        made.pop(at + gone, None)
    _optional(made[at + "HTTPIngressPath"], "pathType")


def _properties(made: dict[str, Json], name: str) -> Json:
    found: Json = made[name]["properties"]
    return found


def _optional(node: Json, field: str) -> None:
    left = [name for name in node.get("required") or () if name != field]
    node.pop("required", None)
    if left:
        node["required"] = left


def render() -> str:
    """The table: a line per definition, name and JSON with a space between."""
    modern = load()
    made = derive(modern)
    known = modern.keys() | made.keys()
    missing = {ref["$ref"] for node in made.values() for ref in _referring(node)} - known
    if missing:
        raise LookupError(f"definitions refer to unknown types: {sorted(missing)}")
    for name, node in made.items():
        add_go_facts(name, node)
    return "".join(
        f"{name} {json.dumps(_sorted(node), separators=(',', ':'))}\n" for name, node in made.items()
    )


def _sorted(node: Json) -> Json:
    """The definition with its fields in order, as the table of successors has them."""
    if "properties" in node:
        node = {**node, "properties": dict(sorted(node["properties"].items()))}
    return dict(sorted(node.items()))


def main() -> None:
    """Write the file."""
    TABLE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
