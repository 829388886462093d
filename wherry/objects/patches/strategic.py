"""Strategic merge patch: a merge patch that knows lists.

Lists whose field says "merge" are merged item by item, by the field's merge key or, for scalars, as
sets; all other lists are replaced. Directives in the patch (`$patch`, `$retainKeys`,
`$setElementOrder/x`, `$deleteFromPrimitiveList/x`) say what a plain merge cannot. The order of a merged
list is upstream's, to the item.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from wherry.objects.meta import Object
from wherry.objects.patches.failure import PatchFailed
from wherry.objects.shape import Shape

PATCH = "$patch"
RETAIN_KEYS = "$retainKeys"
SET_ORDER = "$setElementOrder/"
DELETE_SCALARS = "$deleteFromPrimitiveList/"

Map = Mapping[str, Any]


def _is_directive(key: str) -> bool:
    """Whether the key is an instruction, not a field (a custom resource definition has a field "$ref")."""
    return key[:1] == "$" and (key in (PATCH, RETAIN_KEYS) or key.startswith((SET_ORDER, DELETE_SCALARS)))


def apply_strategic_patch(obj: Object, patch: Map, shape: Shape) -> Object:
    """The object with the patch merged in, guided by the object's `shape`.

    Raises PatchFailed: 400 for a malformed directive, 422 for lists that cannot be merged.
    """
    if not isinstance(patch, dict):
        raise PatchFailed("invalid JSON document")
    return _merge_map(obj, patch, shape)


def _merge_map(original: Map, patch: Map, shape: Shape | None) -> dict[str, Any]:
    if PATCH in patch:
        directive = patch[PATCH]
        if directive == "replace":
            return {key: _clean(value) for key, value in patch.items() if key != PATCH and value is not None}
        if directive == "delete":
            return {}
        if directive != "merge":
            raise PatchFailed(f"unknown patch type: {directive} in map")
    result = dict(original)
    if RETAIN_KEYS in patch:
        _retain(result, patch)
    orders = {key[len(SET_ORDER) :]: value for key, value in patch.items() if key.startswith(SET_ORDER)}
    for name, order in orders.items():
        _merge_ordered(result, patch, name, order, shape)
    for key, value in patch.items():
        if key not in orders and not _is_directive(key):
            _merge_field(result, key, value, _field(shape, key))
    for key, value in patch.items():
        if key.startswith(DELETE_SCALARS):
            name = key[len(DELETE_SCALARS) :]
            if name in result:
                gone = {_itself(item) for item in _listed(value)}
                result[name] = [item for item in _listed(result[name]) if _itself(item) not in gone]
    return result


def _field(shape: Shape | None, name: str) -> Shape | None:
    return shape.field(name) if shape is not None and shape.kind in ("struct", "map") else None


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise PatchFailed("invalid patch format of primitive list")
    return value


def _retain(result: dict[str, Any], patch: Map) -> None:
    """Drop what the patch's `$retainKeys` does not name, in place."""
    keep = patch[RETAIN_KEYS]
    given = {key for key, value in patch.items() if value is not None and not _is_directive(key)}
    if not isinstance(keep, list):
        raise PatchFailed("invalid patch format of retainKeys")
    kept = {key for key in keep if isinstance(key, str)}
    if not given <= kept:
        raise PatchFailed("invalid patch format of retainKeys")
    for key in [key for key in result if key not in kept]:
        del result[key]


def _merge_field(result: dict[str, Any], key: str, value: Any, shape: Shape | None) -> None:
    """Merge one field of the patch into `result`, in place."""
    if value is None:
        result.pop(key, None)
        return
    old = result.get(key)
    if isinstance(value, dict) and isinstance(old, dict):
        replace = shape is not None and "replace" in shape.patch_strategies
        result[key] = _clean(value) if replace else _merge_map(old, value, shape)
    elif isinstance(value, list) and isinstance(old, list):
        result[key] = _merge_list(old, value, shape)
    else:
        result[key] = _clean(value)


def _merges(shape: Shape | None) -> bool:
    return shape is not None and "merge" in shape.patch_strategies


def _merge_list(old: list[Any], patch: list[Any], shape: Shape | None) -> list[Any]:
    if shape is None or not _merges(shape):
        return [_clean(item) for item in patch]
    if not old and not patch:
        return old
    items = [*old, *patch]
    if any(isinstance(item, list) for item in items):
        raise PatchFailed("lists of lists are not supported", 422)
    if not any(isinstance(item, dict) for item in items):
        merged = list(dict.fromkeys(items))
        return _in_order(merged, patch, old, _itself)
    if not all(isinstance(item, dict) for item in items):
        raise PatchFailed("items of a list must all be of the same type", 422)
    return _merge_items(old, patch, shape)


def _merge_items(old: list[Any], patch: list[Any], shape: Shape) -> list[Any]:
    """Merge lists of maps by the field's merge key."""
    key = shape.patch_merge_key
    if not key:
        raise PatchFailed("cannot merge lists without merge key", 422)
    kept, additions, replaced = _directives(old, patch, key)
    if replaced:
        return [_clean(item) for item in additions]
    identity = _by_key(key)
    places = {identity(item): index for index, item in reversed(list(enumerate(kept))) if key in item}
    merged = list(kept)
    for item in additions:
        if key not in item:
            raise PatchFailed(f"map: {item} does not contain declared merge key: {key}", 422)
        place = places.get(identity(item))
        if place is None:
            places[identity(item)] = len(merged)
            merged.append(_clean(item))
        else:
            merged[place] = _merge_map(merged[place], item, shape.items())
    return _in_order(merged, additions, kept, identity)


def _directives(old: list[Any], patch: list[Any], key: str) -> tuple[list[Any], list[Any], bool]:
    """Carry out the `$patch` items: (what stays of the old items, plain items, replace everything?)."""
    additions, replaced = [], False
    gone: set[Hashable] = set()
    for item in patch:
        directive = item.get(PATCH)
        if directive is None:
            additions.append(item)
        elif directive == "replace":
            replaced = True
            rest = {name: value for name, value in item.items() if name != PATCH}
            if rest:
                additions.append(rest)
        elif directive == "delete":
            if key not in item:
                raise PatchFailed(f"delete patch type with no merge key defined: {item}", 422)
            gone.add(_itself(item[key]))
        elif directive == "merge":
            additions.append({name: value for name, value in item.items() if name != PATCH})
        else:
            raise PatchFailed(f"unknown patch type: {directive} in map")
    kept = [item for item in old if _itself(item.get(key)) not in gone] if gone else old
    return kept, additions, replaced


def _merge_ordered(result: dict[str, Any], patch: Map, name: str, order: Any, shape: Shape | None) -> None:
    """Merge a list the patch gives an order for, and bring it into that order, in place."""
    field = _field(shape, name)
    listed = _order_list(order)
    had, given = result.get(name), patch.get(name)
    if name in patch and given is None:
        result.pop(name, None)
        return
    if had is None and given is None:
        return
    old = had if isinstance(had, list) else []
    if given is None:
        merged = old
    elif isinstance(had, list):
        merged = _merge_list(had, _order_list(given), field)
    else:
        merged = _clean(_order_list(given))
    if not _merges(field):
        result[name] = merged
        return
    maps = any(isinstance(item, dict) for item in merged)
    identity = _by_key(field.patch_merge_key) if maps and field is not None else _itself
    result[name] = _in_order(merged, listed, old, identity)


def _order_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise PatchFailed("invalid patch format of setElementOrder list")
    return value


Identity = Callable[[Any], Hashable]


def _itself(item: Any) -> Hashable:
    return item if isinstance(item, Hashable) else repr(item)


def _by_key(key: str) -> Identity:
    def identity(item: Any) -> Hashable:
        return _itself(item.get(key)) if isinstance(item, dict) else _itself(item)

    return identity


def _in_order(
    merged: Sequence[Any], wanted: Sequence[Any], server: Sequence[Any], identity: Identity
) -> list[Any]:
    """Items the patch names in the patch's order, the others in the server's, woven together.

    An item the patch does not name comes first only where the server already had it in front.
    """
    wanted_at = _positions(wanted, identity)
    server_at = _positions(server, identity)
    named = sorted(
        (item for item in merged if identity(item) in wanted_at), key=lambda item: wanted_at[identity(item)]
    )
    others = sorted(
        (item for item in merged if identity(item) not in wanted_at),
        key=lambda item: server_at.get(identity(item), -1),
    )
    woven: list[Any] = []
    i = j = 0
    while i < len(others) and j < len(named):
        left, right = server_at.get(identity(others[i])), server_at.get(identity(named[j]))
        if left is not None and right is not None and left < right:
            woven.append(others[i])
            i += 1
        else:
            woven.append(named[j])
            j += 1
    return [*woven, *others[i:], *named[j:]]


def _positions(items: Sequence[Any], identity: Identity) -> dict[Hashable, int]:
    return {identity(item): index for index, item in reversed(list(enumerate(items)))}


def _clean(value: Any) -> Any:
    """A value of the patch that meets nothing to merge with: without nulls and directives."""
    if isinstance(value, dict):
        if value.get(PATCH) == "delete":
            return {}
        return {
            key: _clean(item) for key, item in value.items() if item is not None and not _is_directive(key)
        }
    if isinstance(value, list):
        return [_clean(item) for item in value if not (isinstance(item, dict) and _is_only_directive(item))]
    return value


def _is_only_directive(item: Map) -> bool:
    return item.get(PATCH) == "delete" or item.keys() == {PATCH}
