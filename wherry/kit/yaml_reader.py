"""Reading one YAML document from somebody who may mean harm, into what JSON can say.

libyaml finds the events; what is built of them is built here, step by step and not by recursion, because
a library that recurses in C over a hundred thousand brackets takes the whole process with it. Aliases are
counted at the size they would have written out, so that a few lines cannot stand for gigabytes. Plain
scalars mean what they mean to Kubernetes' own YAML library: `y` is true, dates and `1:30` are texts.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

MAX_DEPTH = 200
MAX_VALUES = 200_000
"""The most values (scalars, lists, maps) a document may be written with: each takes microseconds to read."""
MAX_EXPANDED = 4 * 1024 * 1024
"""The most characters and values a document may have with its aliases written out."""

_TAG = "tag:yaml.org,2002:"
_MERGE = object()
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = frozenset((".nan", ".NaN", ".NAN"))
_INTEGERS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"([-+]?)0[xX]([0-9a-fA-F]+)", re.ASCII), 16),
    (re.compile(r"([-+]?)0[bB]([01]+)", re.ASCII), 2),
    (re.compile(r"([-+]?)0[oO]?([0-7]+)", re.ASCII), 8),
    (re.compile(r"([-+]?)(0|[1-9][0-9]*)", re.ASCII), 10),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_LONGEST_INTEGER = 64
_HALF_PAIR = re.compile("[\ud800-\udfff]")


class YamlError(ValueError):
    """The text is not one YAML document that JSON could say; the message names the line if there is one.

    `bare` is the same without a word of the text, for who reads what holds secrets.
    """

    def __init__(self, message: str, bare: str = "") -> None:
        super().__init__(message)
        self.bare = bare or message


class Document(NamedTuple):
    """What was read: the value, and a sentence for each key that stood twice in one map (the last counts)."""

    value: Any
    repeated: list[str]


class _Open:
    """A list or map whose end was not seen yet."""

    __slots__ = ("anchor", "explicit", "items", "key", "size")

    def __init__(self, items: list[Any] | dict[str, Any], anchor: str | None, size: int) -> None:
        self.items = items
        self.anchor = anchor
        self.size = size
        """The size of everything before it, to know its own at its end."""
        self.key: Any = None
        self.explicit: set[str] = set()
        """The keys that were written, not merged in."""


def read_secret(text: bytes | str) -> Document:
    """The same of a text that holds secrets: whatever is said of it names lines, never what stands there.

    An anchor, a tag, a key or a scalar of it may be a password that was put in the wrong place.
    """
    try:
        document = read(text)
    except YamlError as error:
        raise YamlError(error.bare) from None
    bare = [f"{one.partition('key ')[0]}a key already set in map" for one in document.repeated]
    return Document(document.value, bare)


def read(text: bytes | str, *, max_depth: int = MAX_DEPTH, max_expanded: int = MAX_EXPANDED) -> Document:
    """The document in `text`; None for a text without any. Raises YamlError.

    Lists and maps may nest `max_depth` levels and have `max_expanded` characters with aliases written out.
    Parts named by an alias are the same object wherever they stand: copy before changing anything.
    """
    builder = _Builder(max_depth, max_expanded)
    try:
        # A surrogate escape becomes a text that cannot be encoded again; it is found where it is read.
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.take(event)
    except yaml.YAMLError as error:
        raise YamlError(_problem(error, max_depth)) from error
    except UnicodeError as error:
        raise YamlError(UNREADABLE) from error
    return Document(builder.value, builder.repeated)


UNREADABLE = "not a YAML document"
"""Said where the library's words are none of the parser upstream uses."""


def _problem(error: yaml.YAMLError, max_depth: int) -> str:
    """What is wrong and in which line, in the words of the parser upstream uses (a port of libyaml).

    libyaml's own words are the same but for a few; whatever else a version of the library may say is
    replaced, so that nobody's messages hang on it.
    """
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or ""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"line {mark.line + 1}: " if mark is not None and mark.line else ""
    if said == "exceeded maximum nesting depth":
        return f"{where}exceeded max depth of {max_depth}"
    return f"{where}{said if said.startswith(_SHARED_WORDS) else UNREADABLE}"


_SHARED_WORDS = (
    "block sequence entries are not allowed",
    "control characters are not allowed",
    "could not find expected",
    "did not find",
    "found ",
    "incomplete UTF",
    "invalid Unicode",
    "invalid leading UTF-8 octet",
    "invalid length of a UTF-8 sequence",
    "invalid trailing UTF-8 octet",
    "mapping keys are not allowed",
    "mapping values are not allowed",
)
"""What problems that libyaml and its port tell alike begin with."""


class _Builder:
    """Puts a document together from its events."""

    def __init__(self, max_depth: int, max_expanded: int) -> None:
        self.value: Any = None
        self.repeated: list[str] = []
        self._max_depth = max_depth
        self._max_expanded = max_expanded
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._size = 0
        self._values = 0
        self._documents = 0

    def take(self, event: Event) -> None:
        """One event of the parser. Raises YamlError."""
        if isinstance(event, ScalarEvent):
            self._count(event)
            value = _scalar(event)
            self._grow(len(event.value) + 1, event)
            self._anchor(event.anchor, value, len(event.value) + 1)
            self._put(value, event)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._count(event)
            if len(self._open) >= self._max_depth:
                raise YamlError(f"{_line(event)}exceeded max depth of {self._max_depth}")
            if event.anchor:
                self._anchors.pop(event.anchor, None)
            made: Any = {} if isinstance(event, MappingStartEvent) else []
            self._open.append(_Open(made, event.anchor, self._size))
            self._grow(1, event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            done = self._open.pop()
            self._anchor(done.anchor, done.items, self._size - done.size)
            self._put(done.items, event)
        elif isinstance(event, AliasEvent):
            value, size = self._named(event)
            self._grow(size, event)
            self._put(value, event)
        elif isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise YamlError(f"{_line(event)}expected a single document, but found another one")

    def _count(self, event: Event) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise YamlError(f"{_line(event)}document has more than {MAX_VALUES} values; send it as JSON")

    def _grow(self, size: int, event: Event) -> None:
        self._size += size
        if self._size > self._max_expanded:
            raise YamlError(f"{_line(event)}document contains excessive aliasing")

    def _anchor(self, anchor: str | None, value: Any, size: int) -> None:
        if anchor:
            self._anchors[anchor] = (value, size)

    def _named(self, event: AliasEvent) -> tuple[Any, int]:
        name = event.anchor
        found = self._anchors.get(name or "")
        if found is None:
            if any(outer.anchor == name for outer in self._open):
                raise YamlError(
                    f"{_line(event)}anchor '{name}' value contains itself",
                    f"{_line(event)}an anchor's value contains itself",
                )
            raise YamlError(
                f"{_line(event)}unknown anchor '{name}' referenced",
                f"{_line(event)}an unknown anchor is referenced",
            )
        return found

    def _put(self, value: Any, event: Event) -> None:
        """A value is complete: it goes where it belongs."""
        if not self._open:
            self.value = None if value is _MERGE else value
            return
        place = self._open[-1]
        items = place.items
        if isinstance(items, list):
            items.append("<<" if value is _MERGE else value)
        elif place.key is None:
            place.key = value if value is _MERGE else _key(value, event)
        elif place.key is _MERGE:
            place.key = None
            _merge(place, value, event)
        else:
            key, place.key = place.key, None
            if key in place.explicit:
                self.repeated.append(f'{_line(event)}key "{key}" already set in map')
            place.explicit.add(key)
            items[key] = "<<" if value is _MERGE else value


def _line(event: Event) -> str:
    mark = event.start_mark
    return f"line {mark.line + 1}: " if mark is not None else ""


def _key(value: Any, event: Event) -> str:
    """A key as JSON can have it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    kind = "null" if value is None else type(value).__name__
    raise YamlError(f"{_line(event)}unsupported map key of type {kind}")


def _merge(place: _Open, value: Any, event: Event) -> None:
    """`<<: value`: take over what is not written in the map itself; of several maps the first counts."""
    assert isinstance(place.items, dict)
    maps = value if isinstance(value, list) else [value]
    for part in maps:
        if not isinstance(part, dict):
            raise YamlError(f"{_line(event)}map merge requires map or sequence of maps as the value")
        for key, item in part.items():
            place.items.setdefault(key, item)


def _scalar(event: ScalarEvent) -> Any:
    """What a scalar means: by its tag, if it is plain by its looks, else a text."""
    text: str = event.value
    tag: str = event.tag or ""
    if _HALF_PAIR.search(text):
        raise YamlError(f"{_line(event)}the text has half a surrogate pair")
    if not tag:
        value = _plain(text) if event.implicit[0] else text
    elif tag in _BY_TAG:
        value = _BY_TAG[tag](text)
        if value is _FAULT:
            short = tag.removeprefix(_TAG)
            raise YamlError(
                f"{_line(event)}cannot decode !!str `{text[:64]}` as a !!{short}",
                f"{_line(event)}cannot decode it as a !!{short}",
            )
    else:
        value = text
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise YamlError(
            f"{_line(event)}json: unsupported value: {text[:64]}", f"{_line(event)}a number JSON cannot say"
        )
    return int(value) if value.is_integer() and abs(value) < _WRITTEN_OUT else value


_FAULT = object()
_WRITTEN_OUT = 2.0**63
"""Whole numbers below are integers, however they are written: JSON says 1000 for `1e3` and 5 for `5.0`."""


def _plain(text: str) -> Any:
    """A plain scalar without a tag."""
    if text in _NULLS:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text == "<<":
        return _MERGE
    first = text[0]
    if first in "+-.0123456789":
        number = _number(text)
        if number is not _FAULT:
            return number
    return text


def _number(text: str) -> Any:
    if _INFINITE.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    if text in _NAN:
        return math.nan
    digits = text.replace("_", "")
    if len(digits) <= _LONGEST_INTEGER + 3:
        for pattern, base in _INTEGERS:
            match = pattern.fullmatch(digits)
            if match:
                number = int(match[1] + match[2], base)
                if -(1 << 63) <= number < 1 << 64:
                    return number
                break
    return float(digits) if _FLOAT.fullmatch(digits) else _FAULT


def _only(*types: type) -> Callable[[str], Any]:
    def read_as(text: str) -> Any:
        value = _plain(text)
        return value if type(value) in types else _FAULT

    return read_as


def _as_float(text: str) -> Any:
    value = _number(text) if text else _FAULT
    return float(value) if isinstance(value, int | float) else _FAULT


def _as_binary(text: str) -> Any:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except ValueError:
        return _FAULT


_BY_TAG: dict[str, Callable[[str], Any]] = {
    _TAG + "null": _only(type(None)),
    _TAG + "bool": _only(bool),
    _TAG + "int": _only(int),
    _TAG + "float": _as_float,
    _TAG + "binary": _as_binary,
}
