"""Levels, versions, and what a namespace's labels say of them.

A label that cannot be read means the strictest for what is enforced, and nothing for what is only
told, so that a slip neither opens a namespace nor fills it with warnings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from wherry.kit.integers import parse_unsigned
from wherry.objects.errors import FieldError, invalid_value

PRIVILEGED, BASELINE, RESTRICTED = LEVELS = ("privileged", "baseline", "restricted")
"""From the weakest to the strictest."""
PREFIX = "pod-security.kubernetes.io/"
ENFORCE, AUDIT, WARN = MODES = ("enforce", "audit", "warn")
LATEST = -1
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)")


class Standard(NamedTuple):
    """A level at a version: the minor number of Kubernetes, or `LATEST`."""

    level: str = PRIVILEGED
    minor: int = LATEST

    def __str__(self) -> str:
        return f"{self.level}:{'latest' if self.minor == LATEST else f'v1.{self.minor}'}"


class Policy(NamedTuple):
    """What holds in a namespace."""

    enforce: Standard = Standard()
    audit: Standard = Standard()
    warn: Standard = Standard()


NO_POLICY = Policy()


def read_policy(labels: Mapping[str, str]) -> tuple[Policy, list[FieldError]]:
    """The policy the labels ask for, and what is wrong with them."""
    errors: list[FieldError] = []
    standards = [_read_mode(labels, mode, errors) for mode in MODES]
    return Policy(*standards), errors


def _read_mode(labels: Mapping[str, str], mode: str, errors: list[FieldError]) -> Standard:
    level = labels.get(PREFIX + mode, PRIVILEGED)
    if level not in LEVELS:
        errors.append(_wrong(PREFIX + mode, level, f"must be one of {', '.join(LEVELS)}"))
        level = RESTRICTED if mode == ENFORCE else PRIVILEGED
    key = f"{PREFIX}{mode}-version"
    version = labels.get(key, "latest")
    match = _VERSION.fullmatch(version)
    number = parse_unsigned(match[1], 63) if match is not None else None
    if version != "latest" and number is None:
        errors.append(_wrong(key, version, 'must be "latest" or "v1.x"'))
    return Standard(level, LATEST if number is None else number)


def _wrong(key: str, value: str, why: str) -> FieldError:
    return invalid_value(f"metadata.labels[{key}]", value, why)


def is_stricter(level: str, other: str) -> bool:
    """Whether `level` asks more of a pod than `other`."""
    return LEVELS.index(level) > LEVELS.index(other)
