"""The one thing policy/v1 changed about disruption budgets: an empty selector now means every pod.

Before, it meant none. Each version has a selector that says what the other's empty one says, and they
are exchanged on the way. The label they use means nothing else and is kept out of all other selectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.objects.meta import Object

MARK = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match"


def to_policy_v1(budget: Object) -> Object:
    """The policy/v1 form."""
    return _converted(budget, "policy/v1", empty="Exists", emptied="DoesNotExist")


def from_policy_v1(budget: Object) -> Object:
    """The policy/v1beta1 form."""
    return _converted(budget, "policy/v1beta1", empty="DoesNotExist", emptied="Exists")


def _converted(budget: Object, api_version: str, *, empty: str, emptied: str) -> Object:
    """`budget` in another version.

    An empty selector becomes the mark with the operator `empty`, the mark with `emptied` an empty one.
    """
    made = {**budget, "apiVersion": api_version}
    spec = budget.get("spec")
    if not spec or spec.get("selector") is None:
        return made
    made["spec"] = {**spec, "selector": _exchanged(spec["selector"], empty, emptied)}
    return made


def _exchanged(selector: Mapping[str, Any], empty: str, emptied: str) -> Mapping[str, Any]:
    expressions = selector.get("matchExpressions") or []
    if not selector.get("matchLabels"):
        if not expressions:
            return {"matchExpressions": [{"key": MARK, "operator": empty}]}
        if len(expressions) == 1 and _marks(expressions[0], emptied):
            return {}
        if len(expressions) == 1 and _marks(expressions[0], empty):
            return selector  # says in this version, too, what it says
    if not any(expression.get("key") == MARK for expression in expressions):
        return selector
    left = [expression for expression in expressions if expression.get("key") != MARK]
    rest = {name: value for name, value in selector.items() if name != "matchExpressions"}
    return {**rest, "matchExpressions": left} if left else rest


def _marks(expression: Mapping[str, Any], operator: str) -> bool:
    is_mark = expression.get("key") == MARK and expression.get("operator") == operator
    return is_mark and not expression.get("values")
