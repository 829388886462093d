"""What strict decoding complains of: unknown and repeated fields, in upstream's words and order.

Typed JSON is read in one go, so complaints come in the order of the document; where a document is
converted first (YAML, patches, custom resources) repeated fields come before unknown ones, and those
sorted. orjson silently keeps the last of repeated keys, so they are found by counting: the bytes sent
and the re-encoded object must hold the same number of `":`; only when they do not is a slow parser
asked which key it was. Whoever sends thousands of such fields is told of the first hundred.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Sequence
from typing import Any

import orjson

from wherry.kit.integers import parse_unsigned
from wherry.objects.errors import MOST_COMPLAINTS

STRICT, WARN, IGNORE = "Strict", "Warn", "Ignore"
YAML_ERRORS = "yaml: unmarshal errors:"
MOST_PATH_TEXT = 64 * 1024 * 1024
_TOKEN = re.compile(r"\[(\d+)\]|([^.\[]+)")


def json_complaints(body: bytes, unknown: Sequence[str]) -> list[str]:
    """Complaints about typed JSON, given the texts about its unknown fields."""
    if not has_repeats(body):
        return list(unknown)
    texts = {_path_of(text): text for text in unknown}
    found: dict[str, None] = {}
    for path, is_repeat in _keys(_pairs_of(body), closed=texts.keys()):
        if path in texts:
            found[texts[path]] = None
        elif is_repeat:
            found[_duplicate(path)] = None
        if len(found) >= MOST_COMPLAINTS:
            break
    return list(dict.fromkeys([*found, *unknown]))[:MOST_COMPLAINTS]


def converted_complaints(repeats: Sequence[str], unknown: Sequence[str]) -> list[str]:
    """Complaints about what was converted before it was read."""
    return [*repeats, *sorted(unknown, key=_by_path)]


def json_repeats(body: bytes) -> list[str]:
    """Texts about keys that stand twice in one JSON object of `body`, in order of appearance."""
    if not has_repeats(body):
        return []
    found: dict[str, None] = {}
    for path, is_repeat in _keys(_pairs_of(body)):
        if is_repeat:
            found[_duplicate(path)] = None
        if len(found) >= MOST_COMPLAINTS:
            break
    return list(found)


def _duplicate(path: str) -> str:
    return f'duplicate field "{path}"'


def json_patch_complaints(body: bytes) -> list[str]:
    """Texts about members of JSON patch operations that are unknown or stand twice."""
    known = frozenset({"op", "path", "from", "value"})
    operations = _pairs_of(body)
    found: dict[str, None] = {}
    for index, operation in enumerate(operations if isinstance(operations, list) else ()):
        if not isinstance(operation, _Pairs):
            continue
        seen: set[str] = set()
        for key, _ in operation.pairs:
            if key not in known:
                found[f'json patch unknown field "[{index}].{key}"'] = None
            elif key in seen:
                found[f'json patch duplicate field "[{index}].{key}"'] = None
            seen.add(key)
            if len(found) >= MOST_COMPLAINTS:
                return list(found)
    return list(found)


def yaml_repeats(body: bytes) -> list[str]:
    """Texts about keys that stand twice in one mapping of a YAML (or JSON) document, with their lines."""
    if body.lstrip()[:1] == b"{" and not _may_repeat(body):
        return []
    from wherry.kit.yaml_reader import YamlError, read

    try:
        return read(body).repeated[:MOST_COMPLAINTS]
    except YamlError:
        return []  # whoever decodes it says what is wrong


def yaml_strict_error(repeats: Sequence[str]) -> str:
    """All repeats of a YAML document as one error."""
    return "\n  ".join([YAML_ERRORS, *repeats])


def has_repeats(body: bytes) -> bool:
    """Whether a JSON document has a key twice in one object; colons in texts may make it say so too."""
    return body.count(b'":') != orjson.dumps(orjson.loads(body)).count(b'":') or b'" :' in body


def _may_repeat(body: bytes) -> bool:
    try:
        return has_repeats(body)
    except orjson.JSONDecodeError:
        return True


class _Pairs:
    """A JSON object with every pair it was written with."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _pairs_of(body: bytes) -> Any:
    return json.loads(body, object_pairs_hook=_Pairs)


def _keys(value: Any, *, closed: Container[str] = ()) -> Iterator[tuple[str, bool]]:
    """Paths of all keys in order of appearance, and whether each stood there before.

    What is below a path of `closed` is left out, and the rest once the paths had `MOST_PATH_TEXT` characters:
    a few long keys above many short ones would come to hundreds of gigabytes.
    """
    left, size = [_members(value, "")], 0
    while left:
        member = next(left[-1], None)
        if member is None:
            left.pop()
            continue
        path, is_repeat, below = member
        if is_repeat is not None:
            yield path, is_repeat
        size += len(path)
        if size > MOST_PATH_TEXT:
            return
        if isinstance(below, (_Pairs, list)) and path not in closed:
            left.append(_members(below, path))


def _members(value: Any, path: str) -> Iterator[tuple[str, bool | None, Any]]:
    """What is in an object or list: path, whether the key stood there before (None: no key), value."""
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value.pairs:
            yield (f"{path}.{key}" if path else key), key in seen, item
            seen.add(key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, (_Pairs, list)):
                yield f"{path}[{index}]", None, item


def _path_of(text: str) -> str:
    return text.removeprefix('unknown field "').removesuffix('"')


def _by_path(text: str) -> list[tuple[int, str]]:
    found = _TOKEN.findall(_path_of(text))
    return [((parse_unsigned(index) or 0) if index else 0, name) for index, name in found]
