"""Taints and tolerations: who may run where (core/v1's Taint and Toleration).

A taint is (key, value, effect). A toleration with operator Exists matches any value, one without a
key matches every taint, one without an effect every effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wherry.kit.integers import parse_integer

Taint = tuple[str, str, str]


def tolerates(toleration: Mapping[str, Any], taint: Taint) -> bool:
    """Whether one toleration covers the taint."""
    key, value, effect = taint
    if toleration.get("effect") and toleration["effect"] != effect:
        return False
    if toleration.get("key") and toleration["key"] != key:
        return False
    match toleration.get("operator") or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(toleration.get("key")) and (toleration.get("value") or "") == value
        case "Gt" | "Lt" as operator:
            return _compares(operator, value, toleration.get("value") or "")
        case _:
            return False


def tolerates_any(tolerations: Iterable[Mapping[str, Any]], taint: Taint) -> bool:
    """Whether any of the tolerations covers the taint."""
    return any(tolerates(toleration, taint) for toleration in tolerations)


def _compares(operator: str, taint_value: str, limit: str) -> bool:
    """Numeric operators (KEP-5471): the taint's value against the toleration's, both integers."""
    found, bound = parse_integer(taint_value), parse_integer(limit)
    if found is None or bound is None:
        return False
    return found > bound if operator == "Gt" else found < bound
