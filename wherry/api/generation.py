"""`metadata.generation`: how often what is wanted was changed.

Source: the PrepareForUpdate of each kind in pkg/registry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.objects.meta import Object
from wherry.objects.sameness import is_identical

ABOUT = frozenset(("apiVersion", "kind", "metadata"))
"""Top-level fields that say nothing of what is wanted."""


def count_generation(
    new: Object,
    old: Object | None,
    fields: Sequence[str] = (),
    *,
    apart: frozenset[str] = ABOUT | {"status"},
) -> None:
    """Set the generation of `new`: 1 on create, one more when one of `fields` changed, else as it was.

    A field is a top-level one or `metadata.annotations`; without any it is all top-level ones but those
    `    apart`.
    """
    meta = new.setdefault("metadata", {})
    if old is None:
        meta["generation"] = 1
        return
    before = (old.get("metadata") or {}).get("generation") or 0
    wanted = fields or (new.keys() | old.keys()) - apart
    changed = not all(is_identical(_field(new, name), _field(old, name)) for name in wanted)
    if before or changed:
        meta["generation"] = before + 1 if changed else before


def _field(obj: Object, path: str) -> Any:
    value: Any = obj
    for name in path.split("."):
        value = (value or {}).get(name)
    return value
