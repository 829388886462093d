"""Reading field sets off objects: what an object has, and what changed between two of them.

This runs on every write, so it decides by the value first and asks the shape only about containers.
What every object of a type has (`Shape.holds`: the spec, a template, the list of containers) leads to members
but is none, whoever fills it: to upstream it was there before, as an empty struct or null. So the rules are
those of structured-merge-diff (typed/compare.go, tofieldset.go) over objects as Go writes them in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from wherry.objects.managed_fields.fieldsets import MEMBER, FieldSet
from wherry.objects.sameness import is_identical
from wherry.objects.shape import Shape

NOT_OWNED = frozenset(("apiVersion", "kind"))
"""Top-level fields nobody owns."""

NOT_OWNED_METADATA = frozenset(
    (
        "creationTimestamp",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    )
)
"""Fields of the metadata nobody owns: identity, and what the server keeps."""


class Change(NamedTuple):
    """How two objects differ: members `touched` (added or modified) and `removed`."""

    touched: FieldSet
    removed: FieldSet


def ownable(obj: Mapping[str, Any], resets: frozenset[str]) -> dict[str, Any]:
    """The part of an object fields can be owned in; `resets` are further fields to leave out.

    They are paths of one or two names (`spec`, `metadata.labels`).
    """
    part: dict[str, Any] = {}
    for name, value in obj.items():
        if name in NOT_OWNED or name in resets:
            continue
        if name == "metadata":
            rest = {key: item for key, item in (value or {}).items() if key not in NOT_OWNED_METADATA}
            if rest:
                part[name] = rest
        else:
            part[name] = value
    for path in resets:
        outer, _, inner = path.partition(".")
        if inner and inner in (part.get(outer) or ()):
            part[outer] = {key: item for key, item in part[outer].items() if key != inner}
            if not part[outer]:
                del part[outer]
    return part


def is_granular(value: Any, shape: Shape | None) -> bool:
    """Whether a container's parts are owned one by one."""
    if type(value) is dict:
        return shape is None or not shape.is_atomic_map
    return shape is not None and shape.list_type in ("map", "set")


def fields_of(obj: Mapping[str, Any], shape: Shape | None) -> FieldSet:
    """The set of fields an applied configuration claims: its leaves, map keys and list items."""
    return _fields(obj, shape, added=False)


def added_fields(obj: Mapping[str, Any], shape: Shape | None) -> FieldSet:
    """The set of fields that came into being with a new object: containers included."""
    result: FieldSet = {}
    for name, value in obj.items():
        node = _added(name, value, shape, is_held=name == "metadata" or _is_held(shape, name))
        if node is not None:
            result[f"f:{name}"] = node
    return result


def _is_held(shape: Shape | None, name: str) -> bool:
    return shape is not None and shape.holds(name)


def _added(name: str, value: Any, shape: Shape | None, *, is_held: bool) -> FieldSet | None:
    """The node of a field of the struct `shape` that was not there, or (`is_held`) only as its zero."""
    sub = _child(shape, name)
    if not is_held:
        return _node(value, sub, added=True, dot=True)
    if not value and type(value) is not list:
        return None  # the zero that was there
    if type(value) is not dict or not is_granular(value, sub):
        return _node(value, sub, added=True, dot=False)
    below: FieldSet = {}
    for key, item in value.items():
        node = _added(key, item, sub, is_held=_is_held(sub, key))
        if node is not None:
            below[f"f:{key}"] = node
    return below or None


def _child(shape: Shape | None, name: str) -> Shape | None:
    return shape.field(name) if shape is not None else None


def _fields(value: Mapping[str, Any], shape: Shape | None, *, added: bool) -> FieldSet:
    """The nodes below a granular map or struct."""
    dot = added or shape is None or shape.kind != "struct"
    result: FieldSet = {}
    for name, item in value.items():
        kind = type(item)
        if kind is not dict and kind is not list:
            if item is not None:
                result["f:" + name] = MEMBER
            continue
        sub = shape.field(name) if shape is not None else None
        # What a struct does not declare stands in it like a key in a map.
        node = _node(item, sub, added=added, dot=dot or sub is None)
        if node is not None:
            result["f:" + name] = node
    return result


def _node(value: Any, shape: Shape | None, *, added: bool, dot: bool) -> FieldSet | None:
    """The node of one value; `dot` tells whether it is a member even when something lies below it.

    None stands for no node at all: a null, or a list without items that nobody claims.
    """
    kind = type(value)
    if kind is dict:
        if not value or (shape is not None and shape.is_atomic_map):
            return MEMBER
        below = _fields(value, shape, added=added)
    elif kind is list:
        if shape is None or shape.list_type not in ("map", "set"):
            return MEMBER
        below = _items(value, shape, added=added)
        if not below and not dot:
            return None
    else:
        return None if value is None else MEMBER
    if not dot:
        return below or MEMBER
    return {".": MEMBER, **below} if below else MEMBER


def _items(value: list[Any], shape: Shape, *, added: bool) -> FieldSet:
    result: FieldSet = {}
    item_shape = shape.items()
    for item in value:
        key = item_key(item, shape)
        if type(item) is dict and (item_shape is None or not item_shape.is_atomic_map):
            below = _fields(item, item_shape, added=added)
            result[key] = {".": MEMBER, **below} if below else MEMBER
        else:
            result[key] = MEMBER
    return result


def item_key(item: Any, shape: Shape) -> str:
    """The path element of an item of a list of type set or map.

    Key fields the item leaves out count with the schema's default, or not at all.
    """
    if shape.list_type == "set":
        return "v:" + orjson.dumps(item).decode()
    names = shape.list_map_keys
    if len(names) == 1:
        value = item.get(names[0]) if type(item) is dict else None
        if value is not None:
            return f'k:{{"{names[0]}":{orjson.dumps(value).decode()}}}'
    keys: dict[str, Any] = {}
    for name in names:
        value = item.get(name) if type(item) is dict else None
        if value is None:
            element = shape.items()
            value = element.default_of(name) if element is not None else None
        if value is not None:
            keys[name] = value
    return "k:" + orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()


def keyed(items: list[Any], shape: Shape) -> dict[str, Any]:
    """A granular list's items by their path elements; of several with one key the first."""
    result: dict[str, Any] = {}
    for item in items:
        result.setdefault(item_key(item, shape), item)
    return result


def compare(old: Mapping[str, Any], new: Mapping[str, Any], shape: Shape | None) -> Change:
    """How `new` differs from `old`."""
    touched: FieldSet = {}
    removed: FieldSet = {}
    _compare_maps(old, new, shape, touched, removed, always=_METADATA)
    return Change(touched, removed)


_METADATA = frozenset(("metadata",))
_NOTHING: frozenset[str] = frozenset()


def _compare_maps(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    shape: Shape | None,
    touched: FieldSet,
    removed: FieldSet,
    *,
    always: frozenset[str] = _NOTHING,
) -> None:
    """`always` are fields that count as there in every object, beside those the shape knows."""
    for name, value in new.items():
        was = old.get(name)
        if was is value or (was == value and (type(value) is str or is_identical(was, value))):
            continue
        if was is None or value is None:
            is_held = name in always or _is_held(shape, name)
            node = _added(name, value if was is None else was, shape, is_held=is_held)
            if node is not None:
                (touched if was is None else removed)[f"f:{name}"] = node
        else:
            _compare_values(f"f:{name}", was, value, _child(shape, name), touched, removed)
    for name, was in old.items():
        if was is not None and name not in new:
            node = _added(name, was, shape, is_held=name in always or _is_held(shape, name))
            if node is not None:
                removed[f"f:{name}"] = node


def _compare_values(
    key: str, was: Any, value: Any, shape: Shape | None, touched: FieldSet, removed: FieldSet
) -> None:
    """Sort one difference of two values into the sets under `key`."""
    kind = type(value)
    if type(was) is not kind or kind not in (dict, list) or not is_granular(value, shape):
        touched[key] = MEMBER
        return
    below_touched: FieldSet = {}
    below_removed: FieldSet = {}
    if kind is dict:
        _compare_maps(was, value, shape, below_touched, below_removed)
    elif shape is not None:
        _compare_lists(was, value, shape, below_touched, below_removed)
    if below_touched:
        touched[key] = below_touched
    if below_removed:
        removed[key] = below_removed


def _compare_lists(
    was: list[Any], value: list[Any], shape: Shape, touched: FieldSet, removed: FieldSet
) -> None:
    """Differences item by item; a new order alone is none."""
    before, after = keyed(was, shape), keyed(value, shape)
    item_shape = shape.items()
    for key, item in after.items():
        old = before.get(key)
        if is_identical(old, item):
            continue
        if old is None or item is None:
            _keep(touched if old is None else removed, key, item if old is None else old, item_shape)
        else:
            _compare_values(key, old, item, item_shape, touched, removed)
    for key, item in before.items():
        if key not in after:
            _keep(removed, key, item, item_shape)


def _keep(fields: FieldSet, key: str, item: Any, shape: Shape | None) -> None:
    node = _node(item, shape, added=True, dot=True)
    if node is not None:
        fields[key] = node
