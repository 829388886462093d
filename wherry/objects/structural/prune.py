"""Drop what a schema does not specify: `prune`.

Where unknown fields are preserved, what is below is kept whole, except that specified fields are looked
into again. The root and embedded resources always have apiVersion, kind and metadata.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from wherry.objects.errors import MOST_COMPLAINTS
from wherry.objects.structural.node import Node

TYPE_META = frozenset({"apiVersion", "kind", "metadata"})


def prune(obj: Any, node: Node) -> list[str]:
    """Remove unspecified fields from `obj` in place; the paths of what was removed (`spec.a[0].b`).

    Of many fields only the first `MOST_COMPLAINTS` are named.
    """
    removed: list[str] = []
    _prune(obj, node, "", removed, node.is_root or node.is_embedded)
    return removed


def _prune(value: Any, node: Node, path: str, removed: list[str], is_resource: bool) -> None:
    if type(value) is list:
        if node.item is not None:
            for index, item in enumerate(value):
                if type(item) in (dict, list):
                    _prune(item, node.item, f"{path}[{index}]", removed, node.item.is_embedded)
        elif not node.preserves:
            for index, item in enumerate(value):
                if type(item) is dict and item:
                    _note(removed, item, f"{path}[{index}].")
                    item.clear()
        return
    if type(value) is not dict:
        return
    keeps = node.preserves or node.allows_any
    unknown: list[str] = []
    for name, item in value.items():
        if is_resource and name in TYPE_META:
            continue
        below = node.properties.get(name) or node.values
        if below is None:
            if not keeps:
                unknown.append(name)
        elif type(item) in (dict, list):
            _prune(item, below, f"{path}.{name}" if path else name, removed, below.is_embedded)
    for name in unknown:
        del value[name]
    _note(removed, unknown, f"{path}." if path else "")


def _note(removed: list[str], names: Iterable[str], prefix: str) -> None:
    removed.extend(f"{prefix}{name}" for name in islice(names, MOST_COMPLAINTS - len(removed)))
