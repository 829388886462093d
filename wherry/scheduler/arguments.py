"""Arguments of plugins (`pluginConfig`): their shapes, defaults and rules, and the plugins made with them.

Source: `pkg/scheduler/apis/config/{v1/defaults.go,validation/validation_pluginargs.go}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.api.core.pod_spec.affinity import validate_affinity
from wherry.objects.errors import (
    FieldError,
    duplicate_value,
    forbidden_value,
    invalid_value,
    not_supported,
    required,
)
from wherry.objects.go_durations import parse_go_duration
from wherry.objects.names import qualified_name_errors
from wherry.scheduler.framework import Plugin
from wherry.scheduler.plugins.balanced_allocation import NodeResourcesBalancedAllocation
from wherry.scheduler.plugins.dynamic_resources import DynamicResources
from wherry.scheduler.plugins.gang_scheduling import GangScheduling
from wherry.scheduler.plugins.image_locality import ImageLocality
from wherry.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from wherry.scheduler.plugins.node_affinity import NodeAffinity
from wherry.scheduler.plugins.node_declared_features import NodeDeclaredFeatures
from wherry.scheduler.plugins.node_name import NodeName
from wherry.scheduler.plugins.node_ports import NodePorts
from wherry.scheduler.plugins.node_resources_fit import (
    NodeResourcesFit,
    by_shape,
    least_allocated,
    most_allocated,
)
from wherry.scheduler.plugins.node_unschedulable import NodeUnschedulable
from wherry.scheduler.plugins.pod_topology_spread import PodTopologySpread
from wherry.scheduler.plugins.taint_toleration import TaintToleration
from wherry.scheduler.plugins.volume_binding import VolumeBinding
from wherry.scheduler.strict import ConfigurationError, Field, Shape, check

Values = dict[str, Any]
RATIO = "RequestedToCapacityRatio"
STRATEGIES = ("LeastAllocated", "MostAllocated", RATIO)

_RESOURCES: list[Shape] = [{"name": Field(str), "weight": Field(int)}]
_POINTS: list[Shape] = [{"utilization": Field(int), "score": Field(int)}]
ARGUMENTS: Mapping[str, Shape] = {
    "DefaultPreemption": {"minCandidateNodesPercentage": Field(int), "minCandidateNodesAbsolute": Field(int)},
    "InterPodAffinity": {
        "hardPodAffinityWeight": Field(int),
        "ignorePreferredTermsOfExistingPods": Field(bool),
    },
    "NodeAffinity": {"addedAffinity": Field(object)},
    "NodeResourcesBalancedAllocation": {"resources": Field(_RESOURCES)},
    "NodeResourcesFit": {
        "ignoredResources": Field([str]),
        "ignoredResourceGroups": Field([str]),
        "scoringStrategy": Field(
            {
                "type": Field(str),
                "resources": Field(_RESOURCES),
                "requestedToCapacityRatio": Field({"shape": Field(_POINTS)}),
            }
        ),
    },
    "PodTopologySpread": {"defaultConstraints": Field([object]), "defaultingType": Field(str)},
    "VolumeBinding": {"bindTimeoutSeconds": Field(int), "shape": Field(_POINTS)},
    "DynamicResources": {"filterTimeout": Field(str), "bindingTimeout": Field(str)},
}


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments with defaults filled in, and what is wrong with them."""

    values: Values
    errors: list[FieldError] = field(default_factory=list)


def read_arguments(plugin: str, given: Any, path: str) -> Arguments:
    """The arguments of a plugin. Raises ConfigurationError for unknown fields and wrong types."""
    shape = ARGUMENTS.get(plugin)
    if shape is None:
        return Arguments({})
    try:
        check(given, {"apiVersion": Field(str), "kind": Field(str), **shape}, "")
    except ConfigurationError as error:
        raise ConfigurationError(f"decoding args for plugin {plugin}: {error}") from None
    values = {name: value for name, value in (given or {}).items() if value is not None}
    judge = _RULES.get(plugin)
    return Arguments(values, judge(values, path) if judge is not None else [])


def _preemption(values: Values, path: str) -> list[FieldError]:
    percent = values.setdefault("minCandidateNodesPercentage", 10)
    least = values.setdefault("minCandidateNodesAbsolute", 100)
    at_percent, at_least = f"{path}.minCandidateNodesPercentage", f"{path}.minCandidateNodesAbsolute"
    errors = []
    if not 0 <= percent <= 100:
        errors.append(invalid_value(at_percent, percent, "not in valid range [0, 100]"))
    if least < 0:
        errors.append(invalid_value(at_least, least, "not in valid range [0, inf)"))
    if percent == least == 0:
        both = "cannot be zero at the same time as"
        errors.append(invalid_value(at_percent, 0, f"{both} minCandidateNodesAbsolute"))
        errors.append(invalid_value(at_least, 0, f"{both} minCandidateNodesPercentage"))
    return errors


def _devices(values: Values, path: str) -> list[FieldError]:
    errors = []
    for name, default, least in (("filterTimeout", "10s", 0), ("bindingTimeout", "10m", 1)):
        text = values.setdefault(name, default)
        try:
            is_enough = parse_go_duration(text) >= least * 1_000_000_000
        except ValueError as error:
            errors.append(invalid_value(f"{path}.{name}", text, str(error)))
            continue
        if not is_enough:
            what = "must be at least 1 second" if least else "must be zero or positive"
            errors.append(invalid_value(f"{path}.{name}", text, what))
    return errors


def _pod_affinity(values: Values, path: str) -> list[FieldError]:
    weight = values.setdefault("hardPodAffinityWeight", 1)
    if 0 <= weight <= 100:
        return []
    return [invalid_value(f"{path}.hardPodAffinityWeight", weight, "not in valid range [0, 100]")]


def _node_affinity(values: Values, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    added = values.get("addedAffinity") or {}
    validate_affinity({"nodeAffinity": added}, path, errors)
    return [
        FieldError(e.type, e.field.replace(f"{path}.nodeAffinity", f"{path}.addedAffinity", 1), e.message)
        for e in errors
    ]


def _balance(values: Values, path: str) -> list[FieldError]:
    resources = values["resources"] = _weighted(values.get("resources"))
    errors = []
    seen: set[str] = set()
    for number, resource in enumerate(resources):
        at, name = f"{path}.resources[{number}]", resource.get("name") or ""
        if name in seen:
            errors.append(duplicate_value(f"{at}.name", name))
        seen.add(name)
        if resource["weight"] != 1:
            errors.append(invalid_value(f"{at}.weight", resource["weight"], "must be 1"))
    return errors


def _fit(values: Values, path: str) -> list[FieldError]:
    errors = []
    for kind in ("ignoredResources", "ignoredResourceGroups"):
        for number, name in enumerate(values.get(kind) or ()):
            at = f"{path}.{kind}[{number}]"
            if kind == "ignoredResourceGroups" and "/" in name:
                errors.append(invalid_value(at, name, "resource group name can't contain '/'"))
            errors += [invalid_value(at, name, wrong) for wrong in qualified_name_errors(name)]
    strategy = values["scoringStrategy"] = dict(values.get("scoringStrategy") or {"type": STRATEGIES[0]})
    at, kind = f"{path}.scoringStrategy", strategy.get("type") or ""
    if kind not in STRATEGIES:
        errors.append(not_supported(f"{at}.type", kind, STRATEGIES))
    strategy["resources"] = _weighted(strategy.get("resources"))
    for number, resource in enumerate(strategy["resources"]):
        weight = resource["weight"]
        if not 0 < weight <= 100:
            detail = f"resource weight of {resource.get('name')} not in valid range (0, 100]"
            errors.append(invalid_value(f"{at}.resources[{number}].weight", weight, detail))
    ratio, at = strategy.get("requestedToCapacityRatio"), f"{at}.requestedToCapacityRatio"
    if kind == RATIO:
        if ratio is None:
            errors.append(required(at, f"must be specified when type is {RATIO}"))
        else:
            errors += _shape_errors(ratio.get("shape") or (), f"{at}.shape")
    elif ratio is not None:
        errors.append(forbidden_value(at, f"must be nil when type is not {RATIO}"))
    return errors


def _weighted(resources: Sequence[Values] | None) -> list[Values]:
    given = resources or [{"name": "cpu"}, {"name": "memory"}]
    return [{**resource, "weight": resource.get("weight") or 1} for resource in given]


def _shape_errors(shape: Sequence[Values], path: str) -> list[FieldError]:
    if not shape:
        return [required(path, "at least one point must be specified")]
    errors = []
    used = [point.get("utilization", 0) for point in shape]
    for number in range(1, len(used)):
        if used[number - 1] >= used[number]:
            at = f"{path}[{number}].utilization"
            errors.append(invalid_value(at, used[number], "values must be sorted in increasing order"))
            break
    for number, point in enumerate(shape):
        for name, most in (("utilization", 100), ("score", 10)):
            value = point.get(name, 0)
            if not 0 <= value <= most:
                detail = f"not in valid range [0, {most}]"
                errors.append(invalid_value(f"{path}[{number}].{name}", value, detail))
    return errors


def _spread(values: Values, path: str) -> list[FieldError]:
    kind = values.setdefault("defaultingType", "System")
    constraints = values.get("defaultConstraints") or []
    errors = []
    if kind not in ("System", "List"):
        errors.append(not_supported(f"{path}.defaultingType", kind, ("System", "List")))
    elif kind == "System" and constraints:
        detail = "when .defaultConstraints are not empty"
        errors.append(invalid_value(f"{path}.defaultingType", kind, detail))
    seen: set[tuple[Any, Any]] = set()
    for number, constraint in enumerate(constraints):
        at = f"{path}.defaultConstraints[{number}]"
        if not isinstance(constraint, dict):
            raise ConfigurationError(f"json: cannot unmarshal into field {at} of type object")
        errors += _constraint_errors(constraint, at)
        pair = (constraint.get("topologyKey"), constraint.get("whenUnsatisfiable"))
        if pair in seen:
            errors.append(duplicate_value(at, f"{{{pair[0]}, {pair[1]}}}"))
        seen.add(pair)
    return errors


def _constraint_errors(constraint: Values, at: str) -> list[FieldError]:
    errors = []
    skew = constraint.get("maxSkew", 0)
    if not isinstance(skew, int) or skew <= 0:
        errors.append(invalid_value(f"{at}.maxSkew", skew, "not in valid range (0, inf)"))
    key = constraint.get("topologyKey") or ""
    if not key:
        errors.append(required(f"{at}.topologyKey", "can not be empty"))
    else:
        errors += [invalid_value(f"{at}.topologyKey", key, wrong) for wrong in qualified_name_errors(key)]
    action = constraint.get("whenUnsatisfiable") or ""
    if not action:
        errors.append(required(f"{at}.whenUnsatisfiable", "can not be empty"))
    elif action not in ("DoNotSchedule", "ScheduleAnyway"):
        errors.append(not_supported(f"{at}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway")))
    if constraint.get("labelSelector") is not None:
        detail = "constraint must not define a selector, as they deduced for each pod"
        errors.append(forbidden_value(f"{at}.labelSelector", detail))
    return errors


def _volume_binding(values: Values, path: str) -> list[FieldError]:
    seconds = values.setdefault("bindTimeoutSeconds", 600)
    errors = []
    if seconds < 0:
        detail = "invalid BindTimeoutSeconds, should not be a negative value"
        errors.append(invalid_value(f"{path}.bindTimeoutSeconds", seconds, detail))
    if values.get("shape") is not None:
        detail = "unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring"
        errors.append(invalid_value(f"{path}.shape", values["shape"], detail))
    return errors


_RULES: Mapping[str, Callable[[Values, str], list[FieldError]]] = {
    "DefaultPreemption": _preemption,
    "DynamicResources": _devices,
    "InterPodAffinity": _pod_affinity,
    "NodeAffinity": _node_affinity,
    "NodeResourcesBalancedAllocation": _balance,
    "NodeResourcesFit": _fit,
    "PodTopologySpread": _spread,
    "VolumeBinding": _volume_binding,
}


def _made_fit(values: Values) -> Plugin:
    strategy = values["scoringStrategy"]
    kind = strategy["type"]
    if kind == RATIO:
        shape = strategy["requestedToCapacityRatio"]["shape"]
        points = by_shape([(point.get("utilization", 0), point.get("score", 0)) for point in shape])
    else:
        points = most_allocated if kind == "MostAllocated" else least_allocated
    return NodeResourcesFit(
        points,
        [(resource["name"], resource["weight"]) for resource in strategy["resources"]],
        ignored=values.get("ignoredResources") or (),
        ignored_groups=values.get("ignoredResourceGroups") or (),
        is_ratio=kind == RATIO,
    )


def _made_spread(values: Values) -> Plugin:
    is_system = values["defaultingType"] == "System"
    return PodTopologySpread(None if is_system else values.get("defaultConstraints") or [])


MAKERS: Mapping[str, Callable[[Values], Plugin]] = {
    "NodeUnschedulable": lambda _: NodeUnschedulable(),
    "NodeName": lambda _: NodeName(),
    "TaintToleration": lambda _: TaintToleration(),
    "NodeAffinity": lambda values: NodeAffinity(values.get("addedAffinity")),
    "NodePorts": lambda _: NodePorts(),
    "NodeResourcesFit": _made_fit,
    "VolumeBinding": lambda _: VolumeBinding(),
    "PodTopologySpread": _made_spread,
    "DynamicResources": lambda values: DynamicResources(parse_go_duration(values["bindingTimeout"]) / 1e9),
    "GangScheduling": lambda _: GangScheduling(),
    "InterPodAffinity": lambda values: InterPodAffinity(
        values["hardPodAffinityWeight"],
        ignores_preferred=values.get("ignorePreferredTermsOfExistingPods", False),
    ),
    "NodeResourcesBalancedAllocation": lambda values: NodeResourcesBalancedAllocation(
        [resource["name"] for resource in values["resources"]]
    ),
    "ImageLocality": lambda _: ImageLocality(),
    "NodeDeclaredFeatures": lambda _: NodeDeclaredFeatures(),
}
"""How each plugin is made from its arguments."""
