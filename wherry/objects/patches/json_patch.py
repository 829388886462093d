"""RFC 6902 JSON Patch: a list of operations, all of them or none.

Each operation rebuilds only the containers on its path; everything beside the path is shared with
the object that came in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wherry.objects.meta import Object
from wherry.objects.patches.failure import PatchFailed

MAX_OPERATIONS = 10000
"""Upstream's limit for one patch."""

Node = Any
_ABSENT = object()
_INDEX = re.compile(r"0|[1-9][0-9]*", re.ASCII)


def apply_json_patch(obj: Object, operations: Sequence[Mapping[str, Any]]) -> Object:
    """The object after every operation. Raises PatchFailed: 400 malformed, 422 not applicable."""
    if not isinstance(operations, list):
        raise PatchFailed("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(operations) > MAX_OPERATIONS:
        raise PatchFailed(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}", 413
        )
    result: Node = obj
    for operation in operations:
        result = _apply(result, operation)
    if not isinstance(result, dict):
        raise PatchFailed("the patch leaves no object behind", 422)
    return result


def _apply(document: Node, operation: Mapping[str, Any]) -> Node:
    if not isinstance(operation, dict):
        raise PatchFailed(
            f"json: cannot unmarshal {_kind(operation)} into Go value of type jsonpatch.Operation"
        )
    kind = operation.get("op")
    path = _text(operation, "path")
    match kind:
        case "add":
            return _add(document, path, _value(operation), "add")
        case "remove":
            return _remove(document, path, "remove")
        case "replace":
            return _replace(document, path, _value(operation))
        case "move":
            source = _text(operation, "from")
            if path.startswith(source + "/"):
                raise PatchFailed(f"move operation does not apply: {source} cannot move into itself", 422)
            moved = _get(document, source, "move")
            return _add(_remove(document, source, "move"), path, moved, "move")
        case "copy":
            return _add(document, path, _get(document, _text(operation, "from"), "copy"), "copy")
        case "test":
            return _test(document, path, operation.get("value"))
    raise PatchFailed(f"Unexpected kind: {kind}", 422)


def _text(operation: Mapping[str, Any], field: str) -> str:
    text = operation.get(field)
    if not isinstance(text, str):
        raise PatchFailed(f"{operation.get('op')} operation failed to decode {field}: missing value", 422)
    if text and not text.startswith("/"):
        raise PatchFailed(f"{operation.get('op')} operation does not apply: bad path {text!r}", 422)
    return text


def _value(operation: Mapping[str, Any]) -> Node:
    if "value" not in operation:
        raise PatchFailed(f"{operation.get('op')} operation failed to decode value: missing value", 422)
    return operation["value"]


def _tokens(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _child(node: Node, token: str) -> Node:
    """What the token names inside the node, or _ABSENT."""
    if isinstance(node, dict):
        return node.get(token, _ABSENT)
    if isinstance(node, list) and _INDEX.fullmatch(token) and int(token) < len(node):
        return node[int(token)]
    return _ABSENT


def _missing(operation: str, path: str) -> PatchFailed:
    return PatchFailed(
        f'{operation} operation does not apply: doc is missing path: "{path}": missing value', 422
    )


def _get(document: Node, path: str, operation: str) -> Node:
    node = document
    for token in _tokens(path):
        node = _child(node, token)
        if node is _ABSENT:
            raise _missing(operation, path)
    return node


def _change(
    node: Node, tokens: Sequence[str], operation: str, path: str, last: Callable[[Node, str], Node]
) -> Node:
    """A copy of `node` in which `last` changed the container that holds the path's last token."""
    token = tokens[0]
    if len(tokens) == 1:
        return last(node, token)
    child = _child(node, token)
    if child is _ABSENT:
        raise _missing(operation, path)
    changed = _change(child, tokens[1:], operation, path, last)
    copy = node.copy()
    copy[token if isinstance(node, dict) else int(token)] = changed
    return copy


def _index(token: str, length: int, operation: str) -> int:
    if not _INDEX.fullmatch(token) or int(token) > length:
        raise PatchFailed(
            f"{operation} operation does not apply: Unable to access invalid index: {token}: "
            "invalid index referenced",
            422,
        )
    return int(token)


def _add(document: Node, path: str, value: Node, operation: str) -> Node:
    if not path:
        return value

    def put(node: Node, token: str) -> Node:
        if isinstance(node, dict):
            return {**node, token: value}
        if not isinstance(node, list):
            raise _missing(operation, path)
        at = len(node) if token == "-" else _index(token, len(node), operation)  # noqa: S105 - a path token
        return [*node[:at], value, *node[at:]]

    return _change(document, _tokens(path), operation, path, put)


def _remove(document: Node, path: str, operation: str) -> Node:
    if not path:
        raise PatchFailed(f"{operation} operation does not apply: the whole document cannot be removed", 422)

    def drop(node: Node, token: str) -> Node:
        if isinstance(node, dict):
            if token not in node:
                raise PatchFailed(
                    f"{operation} operation does not apply: Unable to remove nonexistent key: {token}: "
                    "missing value",
                    422,
                )
            return {key: value for key, value in node.items() if key != token}
        if not isinstance(node, list):
            raise _missing(operation, path)
        at = _index(token, len(node) - 1, operation)
        return node[:at] + node[at + 1 :]

    return _change(document, _tokens(path), operation, path, drop)


def _replace(document: Node, path: str, value: Node) -> Node:
    if not path:
        return value

    def swap(node: Node, token: str) -> Node:
        if _child(node, token) is _ABSENT:
            raise PatchFailed(
                f"replace operation does not apply: doc is missing key: {path}: missing value", 422
            )
        copy = node.copy()
        copy[token if isinstance(node, dict) else int(token)] = value
        return copy

    return _change(document, _tokens(path), "replace", path, swap)


def _test(document: Node, path: str, expected: Node) -> Node:
    node = document
    for token in _tokens(path):
        node = _child(node, token)
        if node is _ABSENT:
            break
    if node is _ABSENT and expected is None:
        return document
    if node is _ABSENT or not same_json(node, expected):
        raise PatchFailed(f"testing value {path} failed: test failed", 422)
    return document


def same_json(left: Node, right: Node) -> bool:
    """Equality of JSON values; unlike Python's, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_json(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_json, left, right))
    return bool(left == right)


def _kind(value: Node) -> str:
    names = {str: "string", bool: "bool", int: "number", float: "number", list: "array", type(None): "null"}
    return names.get(type(value), "value")
