"""Compiled expressions: `compile_expression` and `Expression`. The only module that imports the library."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import cel

from wherry.objects.cel.functions import FUNCTIONS
from wherry.objects.cel.rewrite import rewrite
from wherry.objects.cel.tokens import TokenError

# The library logs every failure of a function; here failures are answers, told to whoever asked.
logging.getLogger("cel").setLevel(logging.CRITICAL)

_FUNCTIONS = dict(FUNCTIONS)
_FAILURES = (ValueError, TypeError, KeyError, IndexError, RuntimeError, ArithmeticError)


class CelError(ValueError):
    """An expression that cannot be compiled or evaluated; the text says why."""


class Expression:
    """One compiled expression; may be evaluated any number of times."""

    def __init__(self, source: str, program: cel.Program) -> None:
        self.source = source
        self._program = program
        self.names = frozenset(program.variables())
        self.functions = frozenset(program.functions())

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """The value with these variables: plain JSON values, datetime, timedelta, bytes. Raises CelError."""
        context = cel.Context(dict(variables), _FUNCTIONS)
        try:
            return self._program.execute(context)
        except KeyError as error:
            raise CelError(f"no such key: {error.args[0] if error.args else ''}") from error
        except ZeroDivisionError as error:
            raise CelError("division by zero") from error
        except IndexError as error:
            raise CelError(str(error)) from error
        except _FAILURES as error:
            raise CelError(_first_sentence(str(error))) from error


@lru_cache(4096)
def compile_expression(source: str) -> Expression:
    """Compile `source`. Raises CelError, with the place of the mistake as the parser tells it."""
    try:
        return Expression(source, cel.compile(rewrite(source)))
    except TokenError as error:
        raise CelError(str(error)) from error
    except _FAILURES as error:
        text = str(error)
        at = text.find("ERROR:")
        raise CelError(text[at:] if at >= 0 else text) from error


def _first_sentence(text: str) -> str:
    if text.startswith("No such overload"):
        return "no such overload"
    if text.startswith("Undefined variable or function: '"):
        return f"undeclared reference to '{text.split(chr(39))[1]}'"
    return text.removesuffix(" Check function arguments and their types.")
