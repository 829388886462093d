"""Match conditions: expressions that all must hold for a webhook or policy to look at a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.apiserver.admission.expressions.scope import Scope
from wherry.objects.cel import CelError


class ConditionsFailed(Exception):
    """Conditions could not be evaluated; says which and why."""


def conditions_hold(conditions: Sequence[Mapping[str, Any]], scope: Scope, *, fails_closed: bool) -> bool:
    """Whether all hold. One that does not counts more than one that cannot be evaluated.

    Raises ConditionsFailed for the latter, unless failures are to be ignored: then it is False.
    """
    problems: list[str] = []
    for condition in conditions:
        try:
            if scope.evaluate(str(condition.get("expression") or "")) is False:
                return False
        except CelError as error:
            problems.append(str(error))
    if problems and fails_closed:
        raise ConditionsFailed(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
    return not problems
