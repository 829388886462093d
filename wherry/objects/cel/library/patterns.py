"""Regular expressions: RE2's, always in linear time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.objects.cel.cost import quarter, size, tenth
from wherry.objects.cel.declarations import declare
from wherry.objects.regex import compile_pattern


def _cost(arguments: Sequence[Any]) -> int:
    return tenth(1 + size(arguments[0])) * quarter(size(arguments[1]))


def _matches(text: str, pattern: str) -> bool:
    return compile_pattern(pattern).is_in(text)


def _find(text: str, pattern: str) -> str:
    return compile_pattern(pattern).first(text)


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    return compile_pattern(pattern).all(text, limit)


declare("matches", "string.(string) -> bool", _matches, _cost)
declare("matches", "(string, string) -> bool", _matches, _cost)
declare("find", "string.(string) -> string", _find, _cost)
declare("findAll", "string.(string) -> list(string)", _find_all, _cost)
declare("findAll", "string.(string, int) -> list(string)", _find_all, _cost)
