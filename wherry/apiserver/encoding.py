"""How objects become bytes: as they are stored, and as they are served.

The store gives an object its resourceVersion by the very act of storing it, so the stored bytes
cannot hold it. Rather than decode and encode again for every reader, `serve` splices it into the
bytes once, right behind `"metadata":{`. `encode_stored` writes apiVersion, kind and metadata first
so that this place is found at the start; bytes some other writer arranged differently are served
all the same, by the slow way.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from wherry.objects.meta import Object

_NOT_STORED = ("resourceVersion", "selfLink")

# Only plain strings may precede the metadata, so the match cannot be something inside a string, and
# no resourceVersion may follow directly: an upstream API server leaves it out of what it stores too.
_HEAD = re.compile(
    rb'\{(?:"apiVersion":"[^"\\]*","kind":"[^"\\]*"|"kind":"[^"\\]*","apiVersion":"[^"\\]*"),"metadata":\{'
)
_SERVED = re.compile(_HEAD.pattern + rb'"resourceVersion":"(\d+)"')


def encode_stored(obj: Object) -> bytes:
    """`obj` as the store keeps it: without resourceVersion and selfLink. `obj` is not changed.

    Raises TypeError for what JSON cannot say.
    """
    meta = obj.get("metadata") or {}
    if any(field in meta for field in _NOT_STORED):
        meta = {field: value for field, value in meta.items() if field not in _NOT_STORED}
    ordered: dict[str, Any] = {
        "apiVersion": obj.get("apiVersion", ""),
        "kind": obj.get("kind", ""),
        "metadata": meta,
    }
    for field, value in obj.items():
        if field not in ordered:
            ordered[field] = value
    # What orjson gives keeps the room it was made in, some kilobytes, as long as it lives.
    return bytes(memoryview(orjson.dumps(ordered)))


def serve(value: bytes, revision: int) -> bytes:
    """Stored bytes as a client gets them: with `revision` as metadata.resourceVersion.

    Raises ValueError when `value` is not a JSON object.
    """
    if value.endswith(b"\n"):
        value = value.rstrip(b"\n")  # Go ends what it writes with one; in a watch it would end the event
    head = _HEAD.match(value)
    if head is None:
        return _serve_foreign(value, revision)
    at = head.end()
    follows = value[at : at + 1]
    if follows == b"}":
        return b'%b"resourceVersion":"%d"%b' % (value[:at], revision, value[at:])
    if follows != b'"':
        return _serve_foreign(value, revision)
    return b'%b"resourceVersion":"%d",%b' % (value[:at], revision, value[at:])


def with_revision(served: bytes, revision: int) -> bytes:
    """Served bytes with another resourceVersion, as the event of a deletion needs them."""
    found = _SERVED.match(served)
    if found is None:
        return _serve_foreign(served, revision)
    start, end = found.span(1)
    return b"%b%d%b" % (served[:start], revision, served[end:])


def decode(data: bytes) -> Object:
    """The object the bytes tell. Raises ValueError when they are not a JSON object."""
    obj = orjson.loads(data)
    if not isinstance(obj, dict):
        raise ValueError(f"a JSON object was expected, not {type(obj).__name__}")  # noqa: TRY004 - it is data
    return obj


def _serve_foreign(value: bytes, revision: int) -> bytes:
    obj = decode(value)
    found = obj.get("metadata") or {}
    if not isinstance(found, dict):
        raise ValueError(f"metadata should be a JSON object, not {type(found).__name__}")  # noqa: TRY004 - it is data
    meta = {field: item for field, item in found.items() if field not in _NOT_STORED}
    ordered = {
        "apiVersion": obj.get("apiVersion", ""),
        "kind": obj.get("kind", ""),
        "metadata": {"resourceVersion": str(revision), **meta},
    }
    return orjson.dumps({**ordered, **{field: obj[field] for field in obj if field not in ordered}})
