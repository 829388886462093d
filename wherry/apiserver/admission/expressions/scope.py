"""What the expressions of one webhook or policy can name about one request: `Scope`.

Objects are seen as they are on the wire, without types. Variables of a policy are evaluated when an
expression first asks for them: `variables.x` becomes a call of a function before it is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from wherry.api.resource import Resource
from wherry.apiserver.admission.base import Attributes
from wherry.apiserver.admission.expressions.authorizer import authorizer_functions, authorizer_value
from wherry.apiserver.admission.facts import request_facts
from wherry.objects.cel import Budget, CelCostError, CelError, compile_expression
from wherry.objects.cel.constructors import CONSTRUCTORS
from wherry.objects.cel.cost import COST_LIMIT_OF_AN_OBJECT
from wherry.objects.cel.tokens import TokenError, tokens_of
from wherry.objects.meta import Object

if TYPE_CHECKING:
    from wherry.objects.cel.expression import Expression

VARIABLE = "__variable__"
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


@lru_cache(4096)
def compiled(source: str) -> Expression:
    """An expression of a webhook or policy. Raises CelError."""
    try:
        return compile_expression(_with_calls(source))
    except TokenError as error:
        raise CelError(str(error)) from error


def _with_calls(source: str) -> str:
    """The source with `variables.x` as a call."""
    if "variables" not in source:
        return source
    tokens = tokens_of(source)
    words = [index for index, token in enumerate(tokens) if token.kind != "space"]
    replaced: dict[int, str] = {}
    for place, index in enumerate(words[:-2]):
        dot, name = tokens[words[place + 1]], tokens[words[place + 2]]
        is_field = place and tokens[words[place - 1]].text in (".", ".?")
        if tokens[index].text == "variables" and dot.text == "." and name.kind == "name" and not is_field:
            replaced |= {index: f'{VARIABLE}("{name.text}")', words[place + 1]: "", words[place + 2]: ""}
    return "".join(replaced.get(index, token.text) for index, token in enumerate(tokens))


class Scope:
    """The names of one request, with the objects in the version of `resource`.

    `variables` are a policy's own, by name. What evaluating costs comes from one budget for all of it.
    """

    def __init__(
        self,
        attributes: Attributes,
        resource: Resource,
        obj: Object | None,
        old: Object | None,
        *,
        variables: Mapping[str, str] | None = None,
        budget: Budget | None = None,
        **more: Any,
    ) -> None:
        self._attributes = attributes
        self._resource = resource
        self._sources = variables or {}
        self._values: dict[str, Any] = {}
        self._budget = budget or Budget(COST_LIMIT_OF_AN_OBJECT)
        self._more = {"object": obj, "oldObject": old, **more}

    def paid_by(self, budget: Budget) -> Scope:
        """The same names, evaluated on another budget."""
        other = copy(self)
        other._budget = budget
        return other

    @cached_property
    def names(self) -> Mapping[str, Any]:
        """Everything that can be named."""
        return {
            **self._more,
            "request": request_facts(self._attributes, self._resource),
            "authorizer": authorizer_value(self._attributes),
        }

    @cached_property
    def _functions(self) -> Mapping[str, Callable[..., Any]]:
        return {**authorizer_functions(self._attributes), **CONSTRUCTORS, VARIABLE: self._variable}

    def evaluate(self, source: str) -> Any:
        """The value of an expression. Raises CelError, with the expression in its text."""
        try:
            return self._evaluate(source)
        except CelCostError as error:
            raise CelCostError(OUT_OF_BUDGET) from error
        except CelError as error:
            raise CelError(f"expression '{source}' resulted in error: {error}") from error

    def _evaluate(self, source: str) -> Any:
        expression = compiled(source)
        names = {name: self.names[name] for name in expression.names if name in self.names}
        return expression.evaluate(names, self._budget, self._functions)

    def _variable(self, name: str) -> Any:
        if name not in self._sources:
            raise ValueError(f"undefined field '{name}'")
        if name not in self._values:
            try:
                self._values[name] = self._evaluate(self._sources[name])
            except CelError as error:
                raise ValueError(f'composited variable "{name}" fails to evaluate: {error}') from error
        return self._values[name]
