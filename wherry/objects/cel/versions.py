"""Semantic versions in expressions: `semver("1.2.3")`, and comparing of what has an order of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from wherry.objects.cel import quantities

TAG = "$semver"
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII
)
_LOOSE = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(.*)", re.ASCII)

_Key = tuple[int, int, int, tuple[tuple[int, int, str], ...]]


def _normal(text: str) -> str:
    found = _LOOSE.fullmatch(text)
    if found is None:
        return text
    return ".".join(str(int(part or 0)) for part in found.groups()[:3]) + found[4]


def semver(text: str, normalize: bool = False) -> dict[str, str]:
    """A version. Raises ValueError."""
    text = _normal(text) if normalize else text
    _key(text)
    return {TAG: text}


def is_semver(text: str, normalize: bool = False) -> bool:
    """Whether the text is a version."""
    return _SEMVER.fullmatch(_normal(text) if normalize else text) is not None


def _key(text: str) -> _Key:
    found = _SEMVER.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a semantic version")
    early = tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in (found[4] or "").split(".") if part
    )
    # A version without a pre-release comes after all of its pre-releases.
    return int(found[1]), int(found[2]), int(found[3]), early or ((2, 0, ""),)


def compare_any(left: Mapping[str, str], right: Mapping[str, str]) -> int:
    """-1, 0 or 1, of two quantities or two versions."""
    if quantities.TAG in left:
        return _order(quantities.number(left), quantities.number(right))
    return _order(_key(left[TAG]), _key(right[TAG]))


def _order(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


VERSIONS: Mapping[str, Callable[..., Any]] = {
    "semver": semver,
    "isSemver": is_semver,
    "major": lambda value: _key(value[TAG])[0],
    "minor": lambda value: _key(value[TAG])[1],
    "patch": lambda value: _key(value[TAG])[2],
}
