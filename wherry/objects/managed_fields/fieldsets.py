"""Sets of field paths, kept in the form they have on the wire (FieldsV1).

A set is a tree of dicts. Keys are path elements: `f:name` a field, `k:{"name":"x"}` an item of a list
by its keys, `v:"x"` an item of a set by its value, `i:0` one by its place. A node that is empty, or has
a "." in it, is a member of the set itself; any other node only leads to members below it. The root is
never a member. Sets are immutable by agreement: every operation shares what it can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

FieldSet = dict[str, Any]

MEMBER: FieldSet = {}
"""The node of a member without members below it; shared, never to be changed."""


def is_member(node: Mapping[str, Any]) -> bool:
    """Whether a node (not the root) is itself in the set."""
    return not node or "." in node


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """What is in either set."""
    if left is right or not right:
        return left
    if not left:
        return right
    result = dict(left)
    for key, node in right.items():
        if key == ".":
            result["."] = MEMBER
            continue
        mine = result.get(key)
        result[key] = node if mine is None else _union_node(mine, node)
    return result


def _union_node(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left:
        return right if not right or "." in right else {".": MEMBER, **right}
    if not right:
        return left if "." in left else {".": MEMBER, **left}
    return union(left, right)


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """What is in `left` but not in `right`; taking out a path leaves what lies below it."""
    result: FieldSet | None = None
    for key, node in left.items():
        other = right.get(key)
        if other is None or key == ".":
            continue
        rest = _difference_node(node, other)
        if rest is node:
            continue
        if result is None:
            result = dict(left)
        if rest is None:
            del result[key]
        else:
            result[key] = rest
    return left if result is None else result


def _difference_node(node: FieldSet, other: FieldSet) -> FieldSet | None:
    """The node without the members of `other`; None when nothing is left of it."""
    if not node:
        return None if is_member(other) else node
    rest = difference(node, other)
    if "." in rest and is_member(other):
        rest = {key: child for key, child in rest.items() if key != "."}
    elif len(rest) == 1 and "." in rest:
        return MEMBER
    return rest or None


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """What is in both sets."""
    result: FieldSet = {}
    for key, node in left.items():
        other = right.get(key)
        if other is None or key == ".":
            continue
        both = intersection(node, other)
        if is_member(node) and is_member(other):
            both = {".": MEMBER, **both} if both else MEMBER
        elif not both:
            continue
        result[key] = both
    return result


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """The members as upstream prints paths: `.spec.containers[name="x"].image`, sorted."""
    for key in sorted(fields):
        if key == ".":
            continue
        path = prefix + path_element(key)
        node = fields[key]
        if is_member(node):
            yield path
        yield from paths(node, path)


def path_element(key: str) -> str:
    """One path element as upstream prints it."""
    kind, _, rest = key.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "k":
        pairs = orjson.loads(rest).items()
        return "[" + ",".join(f"{name}={orjson.dumps(value).decode()}" for name, value in pairs) + "]"
    if kind == "v":
        return f"[={rest}]"
    return f"[{rest}]"


def is_well_formed(fields: object) -> bool:
    """Whether something a client sent can be taken as a field set."""
    if not isinstance(fields, dict):
        return False
    return all(
        (key == "." or (key[:2] in ("f:", "v:", "i:")) or _is_item_key(key)) and is_well_formed(node)
        for key, node in fields.items()
    )


def _is_item_key(key: str) -> bool:
    if not key.startswith("k:"):
        return False
    try:
        return isinstance(orjson.loads(key[2:]), dict)
    except orjson.JSONDecodeError:
        return False
