"""Regular expressions that every Python we run on understands alike."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import wherry

_constants: Any = import_module("re._constants")
_parser: Any = import_module("re._parser")
ROOT = Path(wherry.__file__).parent
RIGHT_ALL_THE_SAME = frozenset({"objects/nesting.py", "objects/regex.py", "objects/structural/formats.py"})
"""No piece of their groups takes characters and then fails, but one of a fixed length."""

ONE_CHARACTER = (_constants.LITERAL, _constants.NOT_LITERAL, _constants.IN, _constants.ANY)


def patterns(path: Path) -> Iterator[str]:
    """The texts given to `re.compile` and its like, as they stand in a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute)):
            continue
        is_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
        first = node.args[0]
        if is_re and isinstance(first, ast.Constant) and isinstance(first.value, str | bytes):
            yield first.value.decode("latin-1") if isinstance(first.value, bytes) else first.value


def has_possessive_group(parsed: Any) -> bool:
    """Whether a group, not a single character, is repeated for good (`(...)*+`, `(...)++`, `(...)?+`)."""
    for operation, argument in parsed:
        if operation is _constants.POSSESSIVE_REPEAT and not _is_one_character(argument[2]):
            return True
        if any(has_possessive_group(part) for part in _parts(argument)):
            return True
    return False


def _is_one_character(parsed: Any) -> bool:
    return len(parsed) == 1 and parsed[0][0] in ONE_CHARACTER


def _parts(argument: Any) -> Iterator[Any]:
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, list | tuple):
        for part in argument:
            yield from _parts(part)


def test_what_is_looked_for() -> None:
    for pattern in (r"(?:a|b')++", r"x(\s(?:a{0,4}b){0,64}+)?", r"(?=(a(?:bc)*+))"):
        assert has_possessive_group(_parser.parse(pattern)), pattern
    for pattern in (r"a++[bc]*+d?+", r"(?:a++)*", r"(?=((?:ab)*))\1"):
        assert not has_possessive_group(_parser.parse(pattern)), pattern


def test_no_group_is_repeated_for_good() -> None:
    """Before 3.11.5 such a group keeps what a piece took that failed later (cpython 106052)."""
    found = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        for pattern in patterns(path)
        if has_possessive_group(_parser.parse(re.sub(r"\\u", "u", pattern)))
    }
    assert found <= RIGHT_ALL_THE_SAME
