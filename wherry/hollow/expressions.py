"""The expressions of Stage files: jq (older spellings included) and CEL.

Source: KWOK's pkg/utils/expression and pkg/utils/lifecycle (value_duration_from.go, value_int_from.go).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from wherry.hollow.documents import Fields, StageError
from wherry.hollow.stages import StageFailed
from wherry.objects.cel import CelError, compile_expression
from wherry.objects.go_durations import parse_go_duration
from wherry.objects.go_times import parse_go_time
from wherry.objects.jq import JqError, compile_jq
from wherry.objects.meta import Object

Test: TypeAlias = Callable[[Object], bool]
Source: TypeAlias = Callable[[Object], datetime | timedelta | None]
_OPERATORS = ("DoesNotExist", "Exists", "In", "NotIn")


def expression_test(fields: Fields) -> Test:
    """One of a selector's matchExpressions. Raises StageError."""
    fields.known("cel", "jq", "key", "operator", "values")
    if "cel" in fields.values:
        return _cel_test(fields.map("cel"))
    inner = fields
    if "jq" in fields.values:
        inner = fields.map("jq")
        inner.known("key", "operator", "values")
    find = _jq(inner, "key")
    operator, values = inner.text("operator", required=True), inner.words("values")
    if operator not in _OPERATORS:
        raise inner.error("operator", f"unknown value {operator!r}; known: {', '.join(_OPERATORS)}")
    if operator in ("In", "NotIn"):
        if not values:
            raise inner.error("values", f"must not be empty with operator {operator}")
        wanted = frozenset(values)
        is_in = operator == "In"
        return lambda obj: any(_word(value) in wanted for value in find(obj)) == is_in
    if values:
        raise inner.error("values", f"must be empty with operator {operator}")
    exists = operator == "Exists"
    return lambda obj: bool(find(obj)) == exists


def _word(value: Any) -> str | None:
    """A value as the texts of a selector name it; maps and lists are never meant."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def _jq(fields: Fields, name: str) -> Callable[[Any], list[Any]]:
    try:
        return compile_jq(fields.text(name, required=True)).find
    except JqError as error:
        raise fields.error(name, str(error)) from error


def _cel(fields: Fields) -> Callable[[Object], Any]:
    fields.known("expression")
    source = fields.text("expression", required=True)
    try:
        compiled = compile_expression(source)
    except CelError as error:
        raise fields.error("expression", str(error)) from error

    def evaluate(obj: Object) -> Any:
        try:
            return compiled.evaluate({"self": obj})
        except CelError as error:
            raise StageFailed(f"{fields.error('expression', str(error))}") from error

    return evaluate


def _cel_test(fields: Fields) -> Test:
    evaluate = _cel(fields)

    def test(obj: Object) -> bool:
        verdict = evaluate(obj)
        if not isinstance(verdict, bool):
            raise StageFailed(str(fields.error("expression", "must give true or false")))
        return verdict

    return test


def _source(fields: Fields, name: str) -> tuple[Callable[[Object], list[Any]], bool] | None:
    """What finds the values of a `...From` field, and whether it is CEL; None when it is absent."""
    if name not in fields.values:
        return None
    inner = fields.map(name)
    inner.known("cel", "expressionFrom", "jq")
    if "cel" in inner.values:
        evaluate = _cel(inner.map("cel"))
        return (lambda obj: [evaluate(obj)]), True
    if "jq" in inner.values:
        jq = inner.map("jq")
        jq.known("expression")
        return _jq(jq, "expression"), False
    return _jq(inner, "expressionFrom"), False


def duration_source(fields: Fields, name: str) -> Source | None:
    """What a `durationFrom` finds in an object: a moment, a span, or None. Raises StageError."""
    source = _source(fields, name)
    if source is None:
        return None
    find, _ = source

    def found(obj: Object) -> datetime | timedelta | None:
        values = find(obj)
        if not values:
            return None
        value = values[0]
        if isinstance(value, datetime | timedelta):
            return value
        if not isinstance(value, str):
            return None
        try:
            return parse_go_time(value)
        except ValueError:
            pass
        try:
            return timedelta(microseconds=parse_go_duration(value) / 1000)
        except ValueError:
            return None

    return found


def weight_source(fields: Fields, name: str, otherwise: int) -> Callable[[Object], int | None]:
    """A stage's weight: what `weightFrom` finds, `otherwise` if nothing; None for what is no number."""
    source = _source(fields, name)
    if source is None:
        return lambda _: otherwise
    find, _ = source

    def weight(obj: Object) -> int | None:
        values = find(obj)
        if not values:
            return otherwise
        value = values[0]
        if isinstance(value, str):
            try:
                return int(value, 0)
            except ValueError:
                return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return int(value) if is_number else otherwise

    return weight


__all__ = ["Source", "StageError", "Test", "duration_source", "expression_test", "weight_source"]
