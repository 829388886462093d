"""A quota and objects: whether it is about one, and what all of them use of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from wherry.api.quota.amounts import ZERO, Amounts, add, masked
from wherry.api.quota.evaluator import Evaluator, Scope
from wherry.objects.meta import Object


def scopes_of(quota: Object) -> list[Scope]:
    """Every scope an object has to be of to count, the plain ones as selectors too."""
    spec = quota.get("spec") or {}
    plain: list[Scope] = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    return [*plain, *((spec.get("scopeSelector") or {}).get("matchExpressions") or ())]


def is_in_scopes(quota: Object, evaluator: Evaluator, obj: Object) -> bool:
    """Whether the object is of all the quota's scopes."""
    return all(evaluator.in_scope(obj, scope) for scope in scopes_of(quota))


def usage_of(quota: Object, evaluator: Evaluator, objects: Iterable[Object], now: datetime) -> Amounts:
    """What `objects`, of the evaluator's kind, use of the quota; all its names of that kind are there."""
    names = evaluator.matching((quota.get("spec") or {}).get("hard") or ())
    total: Amounts = dict.fromkeys(names, ZERO)
    for obj in objects:
        if is_in_scopes(quota, evaluator, obj):
            add(total, masked(evaluator.usage(obj, now), names))
    return total
