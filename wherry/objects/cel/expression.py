"""Compiled expressions: `compile_expression` and `Expression`. The only module that imports the library."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from wherry.kit.remembered import remembered
from wherry.objects.cel import library
from wherry.objects.cel.constructors import constructed
from wherry.objects.cel.cost import (
    EXCEEDED,
    STEP,
    Budget,
    CostExceeded,
    Meter,
    charged,
    upfront,
)
from wherry.objects.cel.errors import CelCostError, CelError
from wherry.objects.cel.functions import FUNCTIONS
from wherry.objects.cel.rewrite import Rewritten, rewrite
from wherry.objects.cel.tokens import TokenError, tokens_of
from wherry.objects.regex import PatternError, compile_pattern

TOO_DEEP = "ERROR: <input>:-1:0: expression recursion limit exceeded"
_UNREADABLE = (".?", "[?", "`")  # what the library cannot read before it is rewritten
_ESCAPE = re.compile(r"\\[uUxX0-3]")
_TAKE_PATTERNS = ("matches", "find", "findAll")
_OF_A_FUNCTION = re.compile(
    r"Function '[^']*' error: Python function call failed: \w+: (.*)\. "
    r"Check function arguments and their types\.",
    re.DOTALL,
)
_CALLED = {
    name: [pair for pair in FUNCTIONS.items() if pair[0].rpartition(".")[2] == name]
    for name in {full.rpartition(".")[2] for full in FUNCTIONS}
}
"""The functions by the name they are called by, which some share."""
_FAILURES = (ValueError, TypeError, KeyError, IndexError, RuntimeError, ArithmeticError)


class Expression:
    """One compiled expression; may be evaluated any number of times."""

    def __init__(self, source: str, rewritten: Rewritten) -> None:
        self.source = source
        self._form = _Form(rewritten)
        self.names = frozenset(self._form.program.variables())
        self.functions = self._form.functions
        self._measures = "size" in self.functions
        self._is_plain = source.isascii() and not _ESCAPE.search(source)

    def evaluate(
        self,
        variables: Mapping[str, Any],
        budget: Budget | None = None,
        functions: Mapping[str, Callable[..., Any]] | None = None,
    ) -> Any:
        """The value with these variables: plain JSON values, datetime, timedelta, bytes.

        What it costs is taken from `budget`, one of its own without. `functions` can be called beside those
        every expression has; they may raise ValueError. Raises CelError, and CelCostError when the budget
        does not suffice.
        """
        if budget is None:
            budget = Budget()
        form = self._form
        if self._measures and not (self._is_plain and _is_ascii(variables)):
            form = self._by_characters
        try:
            budget.spend(upfront(form.rewritten.operations, form.rewritten.pluses, variables))
            context = library.Context(dict(variables), form.called(budget, functions or {}))
            value = form.program.execute(context)
        except CostExceeded as error:
            raise CelCostError(str(error)) from error
        except _FAILURES as error:
            if budget.is_exceeded:
                raise CelCostError(EXCEEDED) from error
            raise CelError(_told(error)) from error
        if budget.is_exceeded:  # the failure that said so was swallowed by a || or &&
            raise CelCostError(EXCEEDED)
        return value

    @cached_property
    def _by_characters(self) -> _Form:
        return _Form(rewrite(constructed(self.source), counts_characters=True))


class _Form:
    """An expression as the library runs it."""

    def __init__(self, rewritten: Rewritten) -> None:
        self.rewritten = rewritten
        self.program = library.compile(rewritten.text)
        self.functions = frozenset(self.program.functions())
        self._used = [pair for name in self.functions for pair in _CALLED.get(name, ())]

    def called(self, budget: Budget, more: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
        """What the expression calls, each function paying from `budget`."""
        made = {name: charged(name, function, budget) for name, function in self._used}
        for name, function in more.items():
            if name.rpartition(".")[2] in self.functions:
                made[name] = charged(name, function, budget)
        if STEP in self.functions:
            made |= Meter(budget).functions()
        return made


def _is_ascii(value: Any) -> bool:
    """Whether all texts in `value` have as many characters as bytes."""
    if isinstance(value, str):
        return value.isascii()
    if isinstance(value, Mapping):
        return all(key.isascii() and _is_ascii(item) for key, item in value.items())
    return not isinstance(value, list) or all(map(_is_ascii, value))


def _told(error: Exception) -> str:
    """A failure of the library in the words of upstream's."""
    match error:
        case KeyError():
            return f"no such key: {error.args[0] if error.args else ''}"
        case ZeroDivisionError():
            return "division by zero"
        case IndexError():
            return str(error)
    return _first_sentence(str(error))


def check_patterns(source: str) -> None:
    """Regular expressions that are written out must be readable. Raises PatternError."""
    tokens = [token for token in tokens_of(source) if token.kind != "space"]
    for index, token in enumerate(tokens[:-2]):
        is_call = token.text in _TAKE_PATTERNS and tokens[index + 1].text == "("
        text = tokens[index + 2]
        if (
            is_call
            and text.kind == "string"
            and index + 3 < len(tokens)
            and tokens[index + 3].text in (",", ")")
        ):
            try:
                compile_pattern(library.compile(text.text).execute({}))
            except PatternError as error:
                raise PatternError(f"program instantiation failed: {error}") from error


@remembered(4096)
def compile_expression(source: str) -> Expression:
    """Compile `source`. Raises CelError, with the place of the mistake as the parser tells it."""
    try:
        expression = Expression(source, rewrite(constructed(source)))
        check_patterns(source)
    except (TokenError, PatternError) as error:
        raise CelError(str(error)) from error
    except RecursionError as error:
        raise CelError(TOO_DEEP) from error
    except _FAILURES as error:
        raise CelError(_syntax_error(source, str(error))) from error
    return expression


def _syntax_error(source: str, text: str) -> str:
    """What the parser says of the source as it was written, or else (`text`) as it was rewritten."""
    try:
        library.compile(source)
    except _FAILURES as error:
        if not any(sign in source for sign in _UNREADABLE):
            text = str(error)
    if "Recursion limit" in text:
        return TOO_DEEP
    at = text.find("ERROR:")
    return text[at:] if at >= 0 else text


def _first_sentence(text: str) -> str:
    if text.startswith("No such overload"):
        return "no such overload"
    if text.startswith("Undefined variable or function: '"):
        return f"undeclared reference to '{text.split(chr(39))[1]}'"
    if (found := _OF_A_FUNCTION.fullmatch(text)) is not None:
        return found[1]
    return text.removesuffix(" Check function arguments and their types.")
