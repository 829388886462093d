"""What the expressions of one webhook or policy can name about one request: `Scope`.

Objects are seen as they are on the wire, without types. Variables of a policy are evaluated when an
expression first asks for them.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from copy import copy
from functools import cached_property, partial
from threading import get_ident
from typing import Any

from wherry.api.resource import Resource
from wherry.apiserver.admission.base import Attributes
from wherry.apiserver.admission.expressions.authorizer import authorizer_functions, authorizer_value
from wherry.apiserver.admission.facts import request_facts
from wherry.objects.cel import Budget, CelCostError, CelError, compile_expression
from wherry.objects.cel.cost import COST_LIMIT_OF_AN_OBJECT
from wherry.objects.meta import Object

LONGEST_ANSWER_S = 60.0
"""So long a thread waits for the loop, which answers at once unless the server ends."""
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


class _Variables(Mapping[str, Any]):
    """A policy's own variables, each evaluated when it is first asked for."""

    def __init__(self, sources: Mapping[str, str], evaluate: Callable[[str], Any]) -> None:
        self._sources = sources
        self._evaluate = evaluate
        self._values: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._sources:
            raise CelError(f"undefined field '{name}'")
        if name not in self._values:
            try:
                self._values[name] = self._evaluate(self._sources[name])
            except CelCostError:
                raise
            except CelError as error:
                raise CelError(f'composited variable "{name}" fails to evaluate: {error}') from error
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._sources

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)


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
        self._variables = _Variables(self._sources, self._evaluate)
        self._budget = budget or Budget(COST_LIMIT_OF_AN_OBJECT)
        self._more = {"object": obj, "oldObject": old, **more}
        self._loop: AbstractEventLoop | None = None
        self._loop_thread = 0

    def paid_by(self, budget: Budget) -> Scope:
        """The same names, evaluated on another budget."""
        other = copy(self)
        other._budget = budget
        other._variables = _Variables(self._sources, other._evaluate)
        return other

    @cached_property
    def names(self) -> Mapping[str, Any]:
        """Everything that can be named."""
        return {
            **self._more,
            "request": request_facts(self._attributes, self._resource),
            "authorizer": authorizer_value(self._attributes),
        }

    def asks_loop(self, loop: AbstractEventLoop) -> None:
        """Have what may be called from a thread ask the loop's: what the authorizer reads changes there."""
        self._loop, self._loop_thread = loop, get_ident()

    @cached_property
    def _functions(self) -> Mapping[str, Callable[..., Any]]:
        functions = authorizer_functions(self._attributes)
        if self._loop is None:
            return functions
        return {
            name: partial(_on_the_loop, self._loop, self._loop_thread, function)
            for name, function in functions.items()
        }

    def evaluate(self, source: str) -> Any:
        """The value of an expression. Raises CelError, with the expression in its text."""
        try:
            return self._evaluate(source)
        except CelCostError as error:
            raise CelCostError(OUT_OF_BUDGET) from error
        except CelError as error:
            raise CelError(f"expression '{source}' resulted in error: {error}") from error

    def _evaluate(self, source: str) -> Any:
        expression = compile_expression(source)
        names = {name: self.names[name] for name in expression.names if name in self.names}
        if "variables" in expression.names:
            names["variables"] = self._variables
        return expression.evaluate(names, self._budget, self._functions)


def _on_the_loop(loop: AbstractEventLoop, thread: int, function: Callable[..., Any], *args: Any) -> Any:
    """What `function` comes to in the loop's thread."""
    if get_ident() == thread:
        return function(*args)
    answer: Future[Any] = Future()

    def ask() -> None:
        try:
            answer.set_result(function(*args))
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked
            answer.set_exception(error)

    loop.call_soon_threadsafe(ask)
    return answer.result(LONGEST_ANSWER_S)
