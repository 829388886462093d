"""A policy and its bindings, as their objects declare them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.apiserver.admission.matching.selectors import Selectors, selectors_of
from wherry.objects.cel.cost import may_take_long
from wherry.objects.meta import Object, name_of


@dataclass(frozen=True, slots=True, eq=False)
class Constraints:
    """Which requests are meant: `matchConstraints` of a policy, `matchResources` of a binding."""

    rules: Sequence[Mapping[str, Any]]
    excluded: Sequence[Mapping[str, Any]]
    is_equivalent: bool
    selectors: Selectors


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """What to know of a policy. `variables` are expressions by name, later ones built on earlier ones."""

    name: str
    constraints: Constraints
    conditions: Sequence[Mapping[str, Any]]
    variables: Mapping[str, str]
    param_kind: Mapping[str, Any] | None
    fails_closed: bool
    validations: Sequence[Mapping[str, Any]]
    audit_annotations: Sequence[Mapping[str, Any]]
    mutations: Sequence[Mapping[str, Any]]
    is_reinvoked: bool
    may_take_long: bool
    """Whether it is evaluated beside the loop, however small the object."""


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """What to know of a binding; without constraints of its own it is about all its policy is about."""

    name: str
    policy: str
    constraints: Constraints | None
    param_ref: Mapping[str, Any] | None
    actions: Sequence[str]


def policy_of(obj: Object) -> Policy:
    """A ValidatingAdmissionPolicy or MutatingAdmissionPolicy."""
    spec = obj.get("spec") or {}
    return Policy(
        name_of(obj),
        constraints_of(spec.get("matchConstraints") or {}),
        spec.get("matchConditions") or (),
        {item.get("name") or "": item.get("expression") or "" for item in spec.get("variables") or ()},
        spec.get("paramKind"),
        spec.get("failurePolicy") != "Ignore",
        spec.get("validations") or (),
        spec.get("auditAnnotations") or (),
        spec.get("mutations") or (),
        spec.get("reinvocationPolicy") == "IfNeeded",
        may_take_long(_expressions_in(spec)),
    )


def _expressions_in(spec: Mapping[str, Any]) -> Iterator[str]:
    for field in ("matchConditions", "variables", "validations", "auditAnnotations", "mutations"):
        for item in spec.get(field) or ():
            parts = (item, item.get("jsonPatch") or {}, item.get("applyConfiguration") or {})
            for part in parts:
                for name in ("expression", "messageExpression", "valueExpression"):
                    yield str(part.get(name) or "")


def binding_of(obj: Object) -> Binding:
    """A binding of either."""
    spec = obj.get("spec") or {}
    match = spec.get("matchResources")
    return Binding(
        name_of(obj),
        spec.get("policyName") or "",
        constraints_of(match) if match is not None else None,
        spec.get("paramRef"),
        spec.get("validationActions") or (),
    )


def constraints_of(match: Mapping[str, Any]) -> Constraints:
    """A MatchResources."""
    return Constraints(
        match.get("resourceRules") or (),
        match.get("excludeResourceRules") or (),
        match.get("matchPolicy") != "Exact",
        selectors_of(match),
    )
