"""What a check finds, the words it is told in, and the way through a pod's containers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

Fields = Mapping[str, Any]
NOTHING: Fields = {}


class Finding(NamedTuple):
    """Why a pod does not meet a check: a short reason, and where."""

    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


Check = Callable[[Fields, Fields], Finding | None]
"""(metadata, spec) of a pod or of a template to what is wrong, None when nothing is."""


def containers(spec: Fields) -> Iterator[Fields]:
    """All containers: those that run first, the regular ones, the ephemeral ones."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(field) or ()


def security(holder: Fields) -> Fields:
    """The securityContext of a container or of a pod's spec."""
    return holder.get("securityContext") or NOTHING


def quoted(values: Iterable[str]) -> str:
    """`"a", "b"`."""
    return ", ".join(f'"{value}"' for value in values)


def plural(word: str, things: Collection[Any]) -> str:
    """The word, with an s when there is more than one thing."""
    return word if len(things) == 1 else f"{word}s"


def which(names: Collection[str]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"{plural('container', names)} {quoted(names)}"


def setters(is_pod: bool, names: Collection[str]) -> str:
    """`pod and container "a"`: who set something that must not be set; "" when nobody did."""
    parts = ["pod"] if is_pod else []
    if names:
        parts.append(which(names))
    return " and ".join(parts)


def is_windows(spec: Fields) -> bool:
    """Whether the pod says that it is one for Windows, where Linux' mechanisms mean nothing."""
    return bool((spec.get("os") or NOTHING).get("name") == "windows")


def has_own_users(spec: Fields) -> bool:
    """Whether the pod runs in a user namespace: root inside is nobody outside."""
    return spec.get("hostUsers") is False
