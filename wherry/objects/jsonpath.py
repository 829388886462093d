"""JSONPath as Kubernetes speaks it, for columns, selectable fields and subresource paths.

The subset of one path without text around it: `.spec.replicas`, `['a.b']`, `[0]`, `[-1:]`, `[*]`,
`..name`, and filters such as `[?(@.type=="Ready")]`. A dot inside a name is written `\\.`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any

from wherry.kit.integers import parse_integer
from wherry.kit.remembered import remembered

MOST_NESTED_FILTERS = 8

_Step = Callable[[list[Any]], list[Any]]
"""From the values a path has led to, the values one step on."""

_NAME = re.compile(r"(?:[^.\[\]\\'\"\s]|\\.)+")
_WALK_IN_FILTER = re.compile(r"\?\(.*\.\.", re.DOTALL)
WITHOUT_BOUND = 1 << 20
"""So many walks are named where a filter itself walks, for each item: items may be in each other."""
_SHOWN = 64
"""Characters of a wrong number that are told."""
_NUMBER = re.compile(r"-?[0-9]+")
_SLICE = re.compile(r"(-?[0-9]*):(-?[0-9]*)(?::(-?[0-9]*))?")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_OPERATOR = re.compile(r"==|!=|<=|>=|<|>")


class JsonPathError(ValueError):
    """A path that cannot be read; says where."""


class JsonPath:
    """A compiled path."""

    __slots__ = ("_steps", "text")

    def __init__(self, text: str, steps: tuple[_Step, ...]) -> None:
        self.text = text
        self._steps = steps

    @property
    def walks(self) -> int:
        """How many times about everything in a value is looked at, at worst: that is what `find` costs."""
        text = self.text
        walks = text.count("..") + text.count("*") + 2 * text.count("?(")
        if _WALK_IN_FILTER.search(text):
            return WITHOUT_BOUND
        return walks + text.count(".") // 8 if walks else 0

    def find(self, value: Any) -> list[Any]:
        """Everything the path leads to; what is not there is left out."""
        found = [value]
        for step in self._steps:
            found = step(found)
        return found

    def first(self, value: Any) -> Any:
        """The first thing the path leads to, None when there is none."""
        return next(iter(self.find(value)), None)


@remembered(2048)
def parse_json_path(text: str) -> JsonPath:
    """Compile `text`, with or without braces and leading `$`. Raises JsonPathError."""
    return _parse(text, 0)


def _parse(text: str, depth: int) -> JsonPath:
    """`depth` counts the filters around the path."""
    path = text.strip()
    if path.startswith("{") and path.endswith("}"):
        path = path[1:-1].strip()
    path = path.removeprefix("$")
    steps: list[_Step] = []
    at = 0
    while at < len(path):
        step, at = _step(path, at, depth)
        if step is not None:
            steps.append(step)
    return JsonPath(text, tuple(steps))


def simple_fields(text: str) -> tuple[str, ...]:
    """The names of a path of plain fields (`.spec.replicas`). Raises JsonPathError for any other."""
    if not text.startswith("."):
        raise JsonPathError("should be a simple json path starting with .")
    names = text[1:].split(".")
    if not all(names) or any(not re.fullmatch(r"[^\[\]*?\s]+", name) for name in names):
        raise JsonPathError("should be a simple json path without brackets")
    return tuple(names)


def _step(path: str, at: int, depth: int) -> tuple[_Step | None, int]:
    if path.startswith("..", at):
        found = _NAME.match(path, at + 2)
        if found is None:
            raise JsonPathError(f"a name was expected after .. in {path!r}")
        return _descendants(_unescape(found[0])), found.end()
    if path[at] == "[":
        return _bracket(path, at, depth)
    start = at + 1 if path[at] == "." else at
    if start == len(path) and at == 0:
        return None, start
    if path.startswith("[", start):
        return None, start
    found = _NAME.match(path, start)
    if found is None:
        raise JsonPathError(f"unexpected text at character {start} of {path!r}")
    name = _unescape(found[0])
    return (_every if name == "*" else _field(name)), found.end()


def _bracket(path: str, at: int, depth: int) -> tuple[_Step, int]:
    end = _closing(path, at)
    inside = path[at + 1 : end].strip()
    if inside == "*":
        return _every, end + 1
    if len(inside) > 1 and inside[0] in "'\"" and inside[-1] == inside[0]:
        return _field(inside[1:-1].replace("\\", "")), end + 1
    if _NUMBER.fullmatch(inside):
        return _index(_position(inside)), end + 1
    if found := _SLICE.fullmatch(inside):
        return _slice(*(_position(part) if part else None for part in found.groups())), end + 1
    if inside.startswith("?(") and inside.endswith(")"):
        if depth == MOST_NESTED_FILTERS:
            raise JsonPathError(f"filters nest more than {MOST_NESTED_FILTERS} levels in {path!r}")
        return _filter(inside[2:-1].strip(), depth + 1, path), end + 1
    raise JsonPathError(f"invalid array index {inside!r} in {path!r}")


def _position(text: str) -> int:
    """A place in a list. Raises JsonPathError for what is none a list could have."""
    number = parse_integer(text)
    if number is None:
        raise JsonPathError(f"array index {text[:_SHOWN]} is not a number")
    return number


def _closing(path: str, at: int) -> int:
    """Where the bracket that opens at `at` closes."""
    depth, quote = 0, ""
    for index in range(at, len(path)):
        character = path[index]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
            if not depth:
                return index
    raise JsonPathError(f"unterminated array in {path!r}")


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def _each(below: Callable[[Any], Iterable[Any]]) -> _Step:
    """The step that leads from every value to what is `below` it."""
    return lambda values: [item for value in values for item in below(value)]


def _field(name: str) -> _Step:
    return lambda values: [value[name] for value in values if isinstance(value, dict) and name in value]


def _index(index: int) -> _Step:
    return lambda values: [
        value[index] for value in values if isinstance(value, list) and -len(value) <= index < len(value)
    ]


def _slice(start: int | None = None, end: int | None = None, stride: int | None = None) -> _Step:
    if stride == 0:
        raise JsonPathError("a slice needs a step other than 0")
    return _each(lambda value: value[start:end:stride] if isinstance(value, list) else ())


def _below(value: Any) -> Iterable[Any]:
    if isinstance(value, list):
        return value
    return value.values() if isinstance(value, dict) else ()


_every = _each(_below)


def _descendants(name: str) -> _Step:
    """The field of that name of the values and of everything in them, in order, each once.

    What was walked already is not walked again: `..a..a..a` on deep values would else never end.
    """

    def step(values: list[Any]) -> list[Any]:
        found: list[Any] = []
        walked: set[int] = set()
        left = list(reversed(values))
        while left:
            value = left.pop()
            if not isinstance(value, dict | list) or id(value) in walked:
                continue
            walked.add(id(value))
            if isinstance(value, dict) and name in value:
                found.append(value[name])
            left.extend(reversed(list(_below(value))))
        return found

    return step


def _filter(text: str, depth: int, path: str) -> _Step:
    """`text` is `@.name == "x"`, or `@.name` for whatever has it."""
    operator = _OPERATOR.search(text)
    left = text[: operator.start()] if operator is not None else text
    right = text[operator.end() :].strip() if operator is not None else ""
    if not left.startswith("@") or any(sign in left for sign in "=!") or (operator is not None and not right):
        raise JsonPathError(f"invalid filter {text!r} in {path!r}")
    here = _parse(left[1:], depth)
    wanted = _literal(right) if operator is not None else None

    def holds(item: Any) -> bool:
        found = here.find(item)
        if operator is None:
            return bool(found)
        return bool(found) and _compare(found[0], operator[0], wanted)

    return _each(lambda value: [item for item in _below(value) if holds(item)])


def _literal(text: str) -> Any:
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    number: float | None = parse_integer(text)
    if number is None and _FLOAT.fullmatch(text):
        number = float(text)
    if number is None or not isfinite(number):
        raise JsonPathError(f"unrecognized literal {text[:_SHOWN]!r} in a filter")
    return number


def _compare(left: Any, operator: str, right: Any) -> bool:
    try:
        match operator:
            case "==":
                return bool(left == right)
            case "!=":
                return bool(left != right)
            case "<":
                return bool(left < right)
            case ">":
                return bool(left > right)
            case "<=":
                return bool(left <= right)
            case _:
                return bool(left >= right)
    except TypeError:
        return False
