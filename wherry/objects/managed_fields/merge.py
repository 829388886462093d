"""Merging applied configuration into a live object, and pruning what an applier gave up.

Results share everything that did not change with the values that came in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.objects.managed_fields.fieldsets import FieldSet, is_member, path_element
from wherry.objects.managed_fields.walk import is_granular, item_key, keyed
from wherry.objects.patches.failure import PatchFailed
from wherry.objects.shape import Shape

EVERYWHERE = frozenset(("apiVersion", "kind", "metadata"))
"""Top-level fields every object has, whether its schema says so or not."""


def merge_values(live: Mapping[str, Any], applied: Mapping[str, Any], shape: Shape | None) -> dict[str, Any]:
    """The live map with the applied one merged in; nulls count as absent."""
    result = dict(live)
    for name, value in applied.items():
        if value is None:
            continue
        sub = shape.field(name) if shape is not None else None
        result[name] = _merge_value(result.get(name), value, sub)
    return result


def _merge_value(live: Any, applied: Any, shape: Shape | None) -> Any:
    if type(live) is not type(applied) or not isinstance(applied, dict | list):
        return applied
    if not is_granular(applied, shape):
        return applied
    if isinstance(applied, dict):
        return merge_values(live, applied, shape)
    return _merge_lists(live, applied, shape) if shape is not None else applied


def _merge_lists(live: list[Any], applied: list[Any], shape: Shape) -> list[Any]:
    """The applied order leads; an item only the live list has stays ahead of what it stood ahead of."""
    theirs, ours = keyed(live, shape), keyed(applied, shape)
    item_shape = shape.items()
    left, right = list(theirs), list(ours)
    shared = [key for key in right if key in theirs]
    merged: list[Any] = []
    i = j = next_shared = 0
    while i < len(left) or j < len(right):
        key = left[i] if i < len(left) else None
        wanted = shared[next_shared] if next_shared < len(shared) else None
        if key is not None and key not in ours:
            merged.append(theirs[key])
            i += 1
        elif key is not None and key != wanted:
            i += 1  # shared, but its turn comes, or came, by the applied order
        else:
            key = right[j]
            j += 1
            if key == wanted:
                next_shared += 1
                if i < len(left) and left[i] == key:
                    i += 1
            old = theirs.get(key)
            merged.append(ours[key] if old is None else _merge_value(old, ours[key], item_shape))
    return merged


def prune(value: Mapping[str, Any], gone: FieldSet, kept: FieldSet, shape: Shape | None) -> dict[str, Any]:
    """The map without the members of `gone` (an applier's last set) that nobody holds (`kept`)."""
    result = dict(value)
    for key, node in gone.items():
        name = key[2:]
        if key[:2] != "f:" or name not in result:
            continue
        held = kept.get(key)
        if held is None:
            del result[name]
        elif node:
            sub = shape.field(name) if shape is not None else None
            result[name] = _prune_value(result[name], node, held, sub)
    return result


def _prune_value(value: Any, gone: FieldSet, kept: FieldSet, shape: Shape | None) -> Any:
    if not isinstance(value, dict | list) or not is_granular(value, shape):
        return value
    if isinstance(value, dict):
        return prune(value, gone, kept, shape)
    if shape is None:
        return value
    result = []
    for item in value:
        key = item_key(item, shape)
        node, held = gone.get(key), kept.get(key)
        if node is not None and is_member(node) and (held is None or not is_member(held)):
            continue
        if node and held is not None and isinstance(item, dict):
            result.append(prune(item, node, held, shape.items()))
        else:
            result.append(item)
    return result


def check_applied(value: Mapping[str, Any], shape: Shape | None, path: str = "") -> None:
    """Raise PatchFailed (400) for applied configuration that cannot be owned field by field."""
    for name, item in value.items():
        where = f"{path}.{name}"
        if shape is not None and shape.kind == "struct":
            sub = shape.field(name)
            is_known = sub is not None or shape.is_atomic_map or shape.allows_unknown
            if not is_known and not (path == "" and name in EVERYWHERE):
                raise PatchFailed(
                    f"failed to create typed patch object: {where}: field not declared in schema"
                )
        else:
            sub = shape.field(name) if shape is not None else None
        if isinstance(item, dict):
            check_applied(item, sub, where)
        elif isinstance(item, list) and sub is not None and sub.list_type in ("map", "set"):
            _check_list(item, sub, where)


def _check_list(items: list[Any], shape: Shape, path: str) -> None:
    seen: set[str] = set()
    for index, item in enumerate(items):
        if shape.list_type == "map":
            _check_keys(item, shape, f"{path}: element {index}")
        key = item_key(item, shape)
        if key in seen:
            what = f"key {path_element(key)}" if key[:2] == "k:" else "set item"
            raise PatchFailed(f"failed to create typed patch object: {path}: duplicate entries for {what}")
        seen.add(key)
        if isinstance(item, dict):
            check_applied(item, shape.items(), path + path_element(key))


def _check_keys(item: Any, shape: Shape, where: str) -> None:
    if not isinstance(item, dict):
        raise PatchFailed(f"failed to create typed patch object: {where}: expected map, got {item!r}")
    element = shape.items()
    for name in shape.list_map_keys:
        if item.get(name) is None and (element is None or element.default_of(name) is None):
            if len(shape.list_map_keys) > 1:
                continue  # one of several keys may be left out
            raise PatchFailed(
                f"failed to create typed patch object: {where}: associative list with keys has an element "
                f'that omits key field "{name}" (and doesn\'t have default value)'
            )
