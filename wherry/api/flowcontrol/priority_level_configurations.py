"""PriorityLevelConfiguration: the share of the API server a group of requests gets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import ceil, log2
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.flowcontrol.parts import CATCH_ALL, EXEMPT, fixed_errors, status_errors
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported, required
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration"
_KINDS = ("Exempt", "Limited")
_QUEUES_MAX = 10_000_000
HASH_BITS = 60
_NOT_POSITIVE = "must be positive"
_NOT_NEGATIVE = "must be a non-negative integer"
_QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if (exempt := spec.get("exempt")) is not None:
        for name in ("nominalConcurrencyShares", "lendablePercent"):
            if exempt.get(name) is None:
                exempt[name] = 0
    limited = spec.get("limited")
    if limited is None:
        return
    for name, value in (("nominalConcurrencyShares", 30), ("lendablePercent", 0)):
        if limited.get(name) is None:
            limited[name] = value
    queuing = (limited.get("limitResponse") or {}).get("queuing")
    if queuing is not None:
        for name, value in _QUEUING.items():
            if not queuing.get(name):
                queuing[name] = value


FIXED: dict[str, Object] = {
    EXEMPT: {"type": "Exempt"},
    CATCH_ALL: {
        "type": "Limited",
        "limited": {
            "nominalConcurrencyShares": 5,
            "lendablePercent": 0,
            "limitResponse": {"type": "Reject"},
        },
    },
}
"""The levels every cluster must have; what `exempt` says of its shares may be changed."""


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec, name = new.get("spec") or {}, name_of(new)
    kind, limited, exempt = spec.get("type") or "", spec.get("limited"), spec.get("exempt")
    errors: list[FieldError] = []
    if (name == EXEMPT) != (kind == "Exempt"):
        why = "type must be 'Exempt' if and only if name is 'exempt'"
        errors.append(invalid_value("spec.type", kind, why))
    if kind not in _KINDS:
        errors.append(not_supported("spec.type", kind, _KINDS))
    elif kind == "Exempt":
        if limited is not None:
            errors.append(forbidden_value("spec.limited", "must be nil if the type is not Limited"))
        errors += _share_errors(exempt or {}, "spec.exempt")
    elif limited is None:
        errors.append(required("spec.limited", "must not be empty when type is Limited"))
    else:
        errors += _limited_errors(limited, "spec.limited")
    if kind == "Limited" and exempt is not None:
        errors.append(forbidden_value("spec.exempt", "must be nil if the type is Limited"))
    compared = {key: value for key, value in spec.items() if key != "exempt"} if name == EXEMPT else spec
    return errors + fixed_errors(new, compared, FIXED)


def _share_errors(level: Mapping[str, Any], path: str) -> list[FieldError]:
    """Shares, and how many of them may be lent."""
    errors: list[FieldError] = []
    shares, lent = level.get("nominalConcurrencyShares"), level.get("lendablePercent")
    if shares is not None and shares < 0:
        errors.append(invalid_value(f"{path}.nominalConcurrencyShares", shares, _NOT_NEGATIVE))
    if lent is not None and not 0 <= lent <= 100:
        errors.append(invalid_value(f"{path}.lendablePercent", lent, "must be between 0 and 100, inclusive"))
    return errors


def _limited_errors(limited: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = _share_errors(limited, path)
    borrowed = limited.get("borrowingLimitPercent")
    if borrowed is not None and borrowed < 0:
        why = f"if specified, {_NOT_NEGATIVE}"
        errors.append(invalid_value(f"{path}.borrowingLimitPercent", borrowed, why))
    response, at = limited.get("limitResponse") or {}, f"{path}.limitResponse"
    kind, queuing = response.get("type") or "", response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            why = "must be nil if limited.limitResponse.type is not Limited"
            errors.append(forbidden_value(f"{at}.queuing", why))
    elif kind != "Queue":
        errors.append(not_supported(f"{at}.type", kind, ("Queue", "Reject")))
    elif queuing is None:
        why = "must not be empty if limited.limitResponse.type is Limited"
        errors.append(required(f"{at}.queuing", why))
    else:
        errors += _queuing_errors(queuing, f"{at}.queuing")
    return errors


def _queuing_errors(queuing: Mapping[str, Any], path: str) -> list[FieldError]:
    length, queues, hand = (queuing.get(name) or 0 for name in ("queueLengthLimit", "queues", "handSize"))
    errors: list[FieldError] = []
    if length <= 0:
        errors.append(invalid_value(f"{path}.queueLengthLimit", length, _NOT_POSITIVE))
    if queues <= 0:
        errors.append(invalid_value(f"{path}.queues", queues, _NOT_POSITIVE))
    elif queues > _QUEUES_MAX:
        errors.append(invalid_value(f"{path}.queues", queues, f"must not be greater than {_QUEUES_MAX}"))
    if hand <= 0:
        errors.append(invalid_value(f"{path}.handSize", hand, _NOT_POSITIVE))
    elif hand > queues:
        why = f"should not be greater than queues ({queues})"
        errors.append(invalid_value(f"{path}.handSize", hand, why))
    elif entropy_bits(queues, hand) > HASH_BITS:
        why = (
            f"required entropy bits of deckSize {queues} and handSize {hand} "
            f"should not be greater than {HASH_BITS}"
        )
        errors.append(invalid_value(f"{path}.handSize", hand, why))
    return errors


def entropy_bits(deck: int, hand: int) -> int:
    """How many bits of a hash it takes to deal `hand` of `deck` queues."""
    return ceil(sum(log2(deck - dealt) for dealt in range(min(hand, HASH_BITS + 1))))


def _row(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    limited = spec.get("limited")
    shares = (limited or spec.get("exempt") or {}).get("nominalConcurrencyShares")
    queuing = ((limited or {}).get("limitResponse") or {}).get("queuing") or {}
    return [
        name_of(obj),
        spec.get("type") or "",
        NONE if shares is None else shares,
        *(queuing.get(name) or NONE for name in _QUEUING),
        age_of(obj, now),
    ]


PRIORITY_LEVEL_CONFIGURATIONS = Resource(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="PriorityLevelConfiguration",
    plural="prioritylevelconfigurations",
    namespaced=False,
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=False,
        has_status=True,
        status_resets=("spec", "metadata"),
        tracks_generation=True,
        is_complete=True,
        defaults=_default,
        rules=_rules,
        status_rules=status_errors,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Type", description="Whether requests are limited."),
        Column("NominalConcurrencyShares", description="The level's share of all seats."),
        Column("Queues", description="How many queues there are."),
        Column("HandSize", description="How many queues a flow may use."),
        Column("QueueLengthLimit", description="How many requests wait in a queue at most."),
        AGE,
    ),
    schema=_SCHEMA,
)
