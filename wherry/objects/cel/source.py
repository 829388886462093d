"""Errors as CEL's compilers show them: place, line, and a mark below it."""

from __future__ import annotations

from collections.abc import Iterable

_MOST_ERRORS = 100


def located(source: str, at: int, what: str) -> str:
    """The text of one error; `at` counts characters from the start, -1 stands for nowhere."""
    if at < 0:
        return f"ERROR: <input>:-1:0: {what}"
    start = source.rfind("\n", 0, at) + 1
    line = source[start:].split("\n", 1)[0]
    number, column = source.count("\n", 0, at) + 1, at - start
    if not source:
        return f"ERROR: <input>:1:0: {what}"
    return _shown(number, column, line, what)


def _shown(number: int, column: int, line: str, what: str) -> str:
    line = line.replace("\t", " ")
    dots = "".join("." if character.isascii() else "．" for character in line[:column])
    mark = "＾" if not line[column : column + 1].isascii() else "^"
    return f"ERROR: <input>:{number}:{column + 1}: {what}\n | {line}\n | {dots}{mark}"


def all_located(source: str, errors: Iterable[tuple[int, str]]) -> str:
    """All errors in the order of their places, as many as cel-go tells."""
    found = sorted(errors, key=lambda error: error[0])
    if len(found) > _MOST_ERRORS:
        found = [*found[:_MOST_ERRORS], (found[_MOST_ERRORS][0], f"More than {_MOST_ERRORS} syntax errors.")]
    return "\n".join(located(source, at, what) for at, what in found)
