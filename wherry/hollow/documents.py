"""Files of our own and of KWOK's kinds: their documents, and fields read with one clear error each."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from wherry.kit.yaml_reader import YamlError, read
from wherry.objects.go_durations import parse_go_duration

_SEPARATOR = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
V = TypeVar("V")


class StageError(ValueError):
    """A file that does not say what is to be simulated; one line with file and field."""


class Fields:
    """A map of a document, and where it stands: `where` is the path of fields to it."""

    def __init__(self, values: Mapping[str, Any], file: str, where: str = "") -> None:
        self.values = {key: value for key, value in values.items() if value is not None}
        self._file = file
        self._where = where

    def error(self, name: str, said: str) -> StageError:
        """The error to raise about a field of this map ("" for the map itself)."""
        path = ".".join(part for part in (self._where, name) if part)
        return StageError(f"{self._file}: {path}: {said}" if path else f"{self._file}: {said}")

    def known(self, *names: str) -> None:
        """Raise StageError for a field that is none of these."""
        for name in self.values:
            if name not in names:
                raise self.error(name, f"unknown field; known: {', '.join(sorted(names))}")

    def _typed(self, name: str, kind: type[V], what: str, *, required: bool = False) -> V | None:
        value = self.values.get(name)
        if value is None:
            if required:
                raise self.error(name, "is required")
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(name, f"must be {what}, not {type(value).__name__} ({str(value)[:40]})")
        return value

    def text(self, name: str, *, required: bool = False) -> str:
        """A text, "" when it is absent."""
        return self._typed(name, str, "a text (quote it)", required=required) or ""

    def flag(self, name: str) -> bool:
        """A bool, False when it is absent."""
        return bool(self._typed(name, bool, "true or false"))

    def integer(self, name: str, *, least: int, most: int | None = None) -> int | None:
        """A whole number within bounds, None when it is absent."""
        value = self._typed(name, int, "a whole number")
        if value is not None and (value < least or (most is not None and value > most)):
            bounds = f"at least {least}" if most is None else f"between {least} and {most}"
            raise self.error(name, f"must be {bounds}, not {value}")
        return value

    def seconds(self, name: str) -> float | None:
        """A duration such as "2s" or "1m30s", in seconds; None when it is absent."""
        text = self._typed(name, str, 'a duration such as "2s"')
        if text is None:
            return None
        try:
            found = parse_go_duration(text) / 1e9
        except ValueError as error:
            raise self.error(name, f"{error}; write a duration such as 2s or 1m30s") from error
        if found < 0:
            raise self.error(name, f"must not be negative, but is {text}")
        return found

    def choice(self, name: str, values: Mapping[str, V]) -> V | None:
        """What a word stands for, None when it is absent."""
        text = self.text(name)
        if not text:
            return None
        if text not in values:
            raise self.error(name, f"unknown value {text!r}; known: {', '.join(sorted(values))}")
        return values[text]

    def map(self, name: str, *, required: bool = False) -> Fields:
        """A map, empty when it is absent."""
        found = self._typed(name, dict, "a map", required=required)
        return Fields(found or {}, self._file, f"{self._where}.{name}" if self._where else name)

    def maps(self, name: str) -> list[Fields]:
        """A list of maps, empty when it is absent."""
        found = self._typed(name, list, "a list") or []
        where = f"{self._where}.{name}" if self._where else name
        for at, item in enumerate(found):
            if not isinstance(item, dict):
                raise self.error(f"{name}[{at}]", "must be a map")
        return [Fields(item, self._file, f"{where}[{at}]") for at, item in enumerate(found)]

    def texts(self, name: str) -> dict[str, str]:
        """A map of texts, empty when it is absent."""
        inner = self.map(name)
        return {key: inner.text(key) for key in inner.values}

    def words(self, name: str) -> list[str]:
        """A list of texts, empty when it is absent."""
        found = self._typed(name, list, "a list") or []
        for at, item in enumerate(found):
            if not isinstance(item, str):
                raise self.error(f"{name}[{at}]", f"must be a text (quote it), not {type(item).__name__}")
        return list(found)


def documents(text: str, file: str, kinds: Collection[tuple[str, str]]) -> list[Fields]:
    """The documents of a file, each of one of `kinds`: (apiVersion, kind). Raises StageError."""
    found = []
    for part in _SEPARATOR.split(text):
        try:
            value = read(part).value
        except YamlError as error:
            raise StageError(f"{file}: {error}") from error
        if value is None:
            continue
        if not isinstance(value, dict):
            raise StageError(f"{file}: must be a map with apiVersion and kind, not {type(value).__name__}")
        fields = Fields(value, file)
        kind = (fields.text("apiVersion"), fields.text("kind"))
        if kind not in kinds:
            known = ", ".join(f"{name} of {version}" for version, name in sorted(kinds))
            raise fields.error("kind", f"{kind[1] or 'nothing'} of {kind[0] or 'nothing'}; known: {known}")
        found.append(fields)
    return found
