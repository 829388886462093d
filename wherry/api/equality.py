"""Whether two values mean the same to the API, and the generation that counts when a spec did change.

Upstream's types cannot tell an empty list or text from an absent one, nor `false` from absent in plain
fields: a client that decodes into such types and writes back must not appear to have changed anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.objects.meta import Object
from wherry.objects.sameness import is_identical

# Fields whose zero upstream's types drop; everywhere else `false` and 0 are values of their own.
_PLAIN = frozenset(
    (
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "hostPort",
        "initialDelaySeconds",
        "minReadySeconds",
        "nodePort",
        "paused",
        "publishNotReadyAddresses",
        "readOnly",
        "stdin",
        "stdinOnce",
        "tty",
    )
)
_EMPTY: tuple[Any, ...] = (None, "", [], {})


def is_same(left: Any, right: Any) -> bool:
    """Whether the two mean the same: equal but for what is empty or absent."""
    return is_identical(left, right) or is_identical(_trimmed(left), _trimmed(right))


def _trimmed(value: Any) -> Any:
    if isinstance(value, Mapping):
        trimmed = {key: _trimmed(item) for key, item in value.items()}
        return {
            key: item
            for key, item in trimmed.items()
            if item not in _EMPTY and not (key in _PLAIN and not item)
        }
    if isinstance(value, list):
        return [_trimmed(item) for item in value]
    return value


def track_generation(new: Object, old: Object | None, fields: Sequence[str] = ("spec",)) -> None:
    """Set `metadata.generation`: 1 on create, one more when one of `fields` changed, else as it was.

    A field is a top-level one, or `metadata.annotations`.
    """
    if old is None:
        new.setdefault("metadata", {})["generation"] = 1
        return
    before = old["metadata"].get("generation") or 0
    same = all(is_same(_field(new, name), _field(old, name)) for name in fields)
    if before or not same:
        new["metadata"]["generation"] = before if same else before + 1


def _field(obj: Object, path: str) -> Any:
    value: Any = obj
    for name in path.split("."):
        value = (value or {}).get(name)
    return value
