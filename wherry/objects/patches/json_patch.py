"""RFC 6902 JSON Patch: a list of operations, all of them or none.

The object that came in is left alone: a container is copied when it is first changed, and changed in
place from then on, so that ten thousand operations on one long list do not copy it ten thousand times.
Everything beside the paths is shared with the object that came in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from wherry.objects.meta import Object
from wherry.objects.nesting import MAX_DEPTH, TOO_DEEP
from wherry.objects.patches.failure import PatchFailed

MAX_OPERATIONS = 10000
"""Upstream's limit for one patch."""

MAX_COPIED_BYTES = 3 * 1024 * 1024
"""Upstream's limit for what all the copies of one patch come to, in JSON."""

Node = Any
_ABSENT = object()
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


def apply_json_patch(obj: Object, operations: Sequence[Mapping[str, Any]]) -> Object:
    """The object after every operation. Raises PatchFailed: 400 malformed, 422 not applicable."""
    if not isinstance(operations, list):
        raise PatchFailed("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(operations) > MAX_OPERATIONS:
        raise PatchFailed(
            f"Request entity too large: The allowed maximum operations in a JSON patch is "
            f"{MAX_OPERATIONS}, got {len(operations)}",
            413,
        )
    work = _Work(obj)
    for operation in operations:
        work.apply(operation)
    if not isinstance(work.document, dict):
        raise PatchFailed("the patch leaves no object behind", 422)
    return work.document


class _Work:
    """A document on its way through the operations."""

    def __init__(self, document: Node) -> None:
        self.document = document
        self._own: dict[int, Node] = {}
        """Containers made here, which nobody else holds, by identity."""
        self._copied_bytes = 0

    def apply(self, operation: Mapping[str, Any]) -> None:
        """Carry out one operation. Raises PatchFailed."""
        if not isinstance(operation, dict):
            raise PatchFailed(
                f"json: cannot unmarshal {_kind(operation)} into Go value of type jsonpatch.Operation"
            )
        kind = operation.get("op")
        path = _text(operation, "path")
        match kind:
            case "add":
                self._add(path, _value(operation), "add")
            case "remove":
                self._remove(path, "remove")
            case "replace":
                self._replace(path, _value(operation))
            case "move":
                source = _text(operation, "from")
                if path.startswith(source + "/"):
                    raise PatchFailed(f"move operation does not apply: {source} cannot move into itself", 422)
                moved = _get(self.document, source, "move")
                self._remove(source, "move")
                self._add(path, moved, "move")
            case "copy":
                self._add(path, self._copy(_text(operation, "from")), "copy")
            case "test":
                _test(self.document, path, operation.get("value"))
            case _:
                raise PatchFailed(f"Unexpected kind: {kind}", 422)

    def _copy(self, source: str) -> Node:
        """A copy of what stands at `source`; a few copies of copies would fill any memory."""
        try:
            data = orjson.dumps(_get(self.document, source, "copy"))
        except orjson.JSONEncodeError as error:
            raise PatchFailed(f"copy operation does not apply: {TOO_DEEP}", 422) from error
        self._copied_bytes += len(data)
        if self._copied_bytes > MAX_COPIED_BYTES:
            raise PatchFailed(
                "Unable to complete the copy, the accumulated size increase of copy is "
                f"{self._copied_bytes}, exceeding the limit {MAX_COPIED_BYTES}",
                422,
            )
        return orjson.loads(data)

    def _owned(self, node: Node) -> Node:
        """The container itself if it was made here, else a copy of it."""
        if id(node) in self._own:
            return node
        copy = node.copy()
        self._own[id(copy)] = copy
        return copy

    def _parent(self, tokens: Sequence[str], operation: str, path: str) -> Node:
        """The container the last token is looked up in, to be changed in place."""
        if not isinstance(self.document, dict | list):
            raise _missing(operation, path)
        node = self.document = self._owned(self.document)
        for token in tokens[:-1]:
            child = _child(node, token)
            if not isinstance(child, dict | list):
                raise _missing(operation, path)
            child = self._owned(child)
            node[token if isinstance(node, dict) else int(token)] = child
            node = child
        return node

    def _add(self, path: str, value: Node, operation: str) -> None:
        if not path:
            self.document = value
            return
        tokens = _tokens(path)
        node, token = self._parent(tokens, operation, path), tokens[-1]
        if isinstance(node, dict):
            node[token] = value
        elif token == "-":  # noqa: S105 - a path token
            node.append(value)
        else:
            node.insert(_index(token, len(node), operation), value)

    def _remove(self, path: str, operation: str) -> None:
        if not path:
            raise PatchFailed(
                f"{operation} operation does not apply: the whole document cannot be removed", 422
            )
        tokens = _tokens(path)
        node, token = self._parent(tokens, operation, path), tokens[-1]
        if isinstance(node, list):
            del node[_index(token, len(node) - 1, operation)]
        elif token in node:
            del node[token]
        else:
            raise PatchFailed(
                f"{operation} operation does not apply: Unable to remove nonexistent key: {token}: "
                "missing value",
                422,
            )

    def _replace(self, path: str, value: Node) -> None:
        if not path:
            self.document = value
            return
        tokens = _tokens(path)
        node, token = self._parent(tokens, "replace", path), tokens[-1]
        if _child(node, token) is _ABSENT:
            raise PatchFailed(
                f"replace operation does not apply: doc is missing key: {path}: missing value", 422
            )
        node[token if isinstance(node, dict) else int(token)] = value


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
    parts = path.split("/")[1:]
    if len(parts) > MAX_DEPTH:
        raise PatchFailed(f"the path is {len(parts)} levels deep: {TOO_DEEP}", 422)
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]


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


def _index(token: str, length: int, operation: str) -> int:
    if not _INDEX.fullmatch(token) or int(token) > length:
        raise PatchFailed(
            f"{operation} operation does not apply: Unable to access invalid index: {token}: "
            "invalid index referenced",
            422,
        )
    return int(token)


def _test(document: Node, path: str, expected: Node) -> None:
    node = document
    for token in _tokens(path):
        node = _child(node, token)
        if node is _ABSENT:
            break
    if node is _ABSENT and expected is None:
        return
    if node is _ABSENT or not same_json(node, expected):
        raise PatchFailed(f"testing value {path} failed: test failed", 422)


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
