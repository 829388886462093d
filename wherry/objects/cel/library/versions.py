"""Semantic versions: `semver("1.2.3")`. Source: Kubernetes' library and blang/semver, also of the texts."""

from __future__ import annotations

import re
from typing import Any

from wherry.objects.cel.cost import size, tenth
from wherry.objects.cel.declarations import declare
from wherry.objects.cel.errors import CelError
from wherry.objects.cel.values import MAX_UINT, Opaque
from wherry.objects.go_addresses import quoted

_NUMERIC = re.compile(r"[0-9]*", re.ASCII)
_WORD = re.compile(r"[0-9A-Za-z-]*", re.ASCII)
_Part = tuple[int, int, str]


class VersionValue(Opaque):
    """A version; what it was built from plays no part in its order."""

    __slots__ = ("early", "numbers")
    cel_type = "kubernetes.Semver"

    def __init__(self, numbers: tuple[int, ...], early: tuple[_Part, ...]) -> None:
        self.numbers = numbers
        self.early = early

    @property
    def key(self) -> tuple[Any, ...]:
        """What orders versions: one without a pre-release comes after all of its pre-releases."""
        return (self.numbers, self.early or ((2, 0, ""),))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VersionValue) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _parsed_number(text: str) -> int:
    if not text:
        raise CelError('strconv.ParseUint: parsing "": invalid syntax')
    if len(text) > 20 or int(text) > MAX_UINT:
        raise CelError(f"strconv.ParseUint: parsing {quoted(text)}: value out of range")
    return int(text)


def _number(text: str, name: str) -> int:
    if not _NUMERIC.fullmatch(text):
        raise CelError(f"Invalid character(s) found in {name.lower()} number {quoted(text)}")
    if len(text) > 1 and text[0] == "0":
        raise CelError(f"{name} number must not contain leading zeroes {quoted(text)}")
    return _parsed_number(text)


def _early(text: str) -> _Part:
    if not text:
        raise CelError("Prerelease is empty")
    if _NUMERIC.fullmatch(text):
        if len(text) > 1 and text[0] == "0":
            raise CelError(f"Numeric PreRelease version must not contain leading zeroes {quoted(text)}")
        return 0, _parsed_number(text), ""
    if not _WORD.fullmatch(text):
        raise CelError(f"Invalid character(s) found in prerelease {quoted(text)}")
    return 1, 0, text


def version_value(text: str, normalize: bool = False) -> VersionValue:
    if normalize:
        text = _normal(text)
    if not text:
        raise CelError("Version string empty")
    parts = text.split(".", 2)
    if len(parts) != 3:
        raise CelError("No Major.Minor.Patch elements found")
    major, minor = _number(parts[0], "Major"), _number(parts[1], "Minor")
    rest, plus, build = parts[2].partition("+")
    rest, dash, early = rest.partition("-")
    patch = _number(rest, "Patch")
    releases = tuple(_early(part) for part in early.split(".")) if dash else ()
    for part in build.split(".") if plus else ():
        if not part:
            raise CelError("Build meta data is empty")
        if not _WORD.fullmatch(part):
            raise CelError(f"Invalid character(s) found in build meta data {quoted(part)}")
    return VersionValue((major, minor, patch), releases)


def _normal(text: str) -> str:
    """Without a leading v and zeros, and with all three numbers. Raises CelError."""
    parts = text.removeprefix("v").split(".", 2)
    for index, part in enumerate(parts):
        if len(part) > 1:
            stripped = part.lstrip("0")
            parts[index] = stripped if "0" <= stripped[:1] <= "9" else f"0{stripped}"
    if len(parts) < 3:
        if any(mark in parts[-1] for mark in "+-"):
            raise CelError("short version cannot contain PreRelease/Build meta data")
        parts += ["0"] * (3 - len(parts))
    return ".".join(parts)


def _is_version(text: str, normalize: bool = False) -> bool:
    try:
        version_value(text, normalize)
    except CelError:
        return False
    return True


def _order(left: VersionValue, right: VersionValue) -> int:
    return int(left.key > right.key) - int(left.key < right.key)


def _once(arguments: Any) -> int:
    return tenth(size(arguments[0]))


declare("semver", "(string) -> semver", version_value, _once)
declare("semver", "(string, bool) -> semver", version_value, _once)
declare("isSemver", "(string) -> bool", _is_version, _once)
declare("isSemver", "(string, bool) -> bool", _is_version, _once)
declare("isGreaterThan", "semver.(semver) -> bool", lambda left, right: _order(left, right) > 0)
declare("isLessThan", "semver.(semver) -> bool", lambda left, right: _order(left, right) < 0)
declare("compareTo", "semver.(semver) -> int", _order)
declare("major", "semver.() -> int", lambda value: value.numbers[0])
declare("minor", "semver.() -> int", lambda value: value.numbers[1])
declare("patch", "semver.() -> int", lambda value: value.numbers[2])
