"""The OpenAPI v2 document in the binary form kubectl asks for.

The messages are those of gnostic's openapi.v2 package. Only the fields Kubernetes' documents use are
written; the wire format is simple enough (a tag, a length, the bytes) that a table of field numbers
is all it takes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from wherry.objects.meta import Object

PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""What the document is sent as: the name clients ask by is no well-formed media type, and some look."""

MEDIA_TYPES = ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", PROTOBUF)
"""What clients may ask for it by."""

_SCHEMA_TEXTS = {"$ref": 1, "format": 2, "title": 3, "description": 4, "pattern": 13}
_SCHEMA_DOUBLES = {"maximum": 7, "minimum": 9}
_SCHEMA_INTS = {
    "maxLength": 11,
    "minLength": 12,
    "maxItems": 14,
    "minItems": 15,
    "uniqueItems": 16,
    "maxProperties": 17,
    "minProperties": 18,
}
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field: int, text: str | None) -> bytes:
    return _bytes(field, text.encode()) if text else b""


def _int(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(int(number)) if number else b""


def _double(field: int, number: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", number)


def _texts(field: int, texts: Iterable[str]) -> bytes:
    return b"".join(_bytes(field, text.encode()) for text in texts)


def _any(value: Any) -> bytes:
    """An openapi.v2.Any: the value as YAML, of which JSON is a part."""
    return _text(2, orjson.dumps(value).decode() + "\n")


def _named(name: str, value: bytes) -> bytes:
    return _text(1, name) + _bytes(2, value)


def _extensions(field: int, node: Mapping[str, Any]) -> bytes:
    return b"".join(
        _bytes(field, _named(key, _any(value))) for key, value in node.items() if key.startswith("x-")
    )


def _entries(field: int, nodes: Mapping[str, Any], encode: Callable[[Any], bytes]) -> bytes:
    return b"".join(_bytes(field, _named(name, encode(node))) for name, node in nodes.items())


def encode_schema(node: Mapping[str, Any]) -> bytes:
    """An openapi.v2.Schema."""
    out = [_text(number, node.get(key)) for key, number in _SCHEMA_TEXTS.items()]
    out += [_double(number, node[key]) for key, number in _SCHEMA_DOUBLES.items() if key in node]
    out += [_int(number, node[key]) for key, number in _SCHEMA_INTS.items() if key in node]
    if "default" in node:
        out.append(_bytes(5, _any(node["default"])))
    out.append(_texts(19, node.get("required") or ()))
    out += [_bytes(20, _any(value)) for value in node.get("enum") or ()]
    more = node.get("additionalProperties")
    if isinstance(more, dict):
        out.append(_bytes(21, _bytes(1, encode_schema(more))))
    elif more is True:
        out.append(_bytes(21, _int(2, 1)))
    if node.get("type"):
        out.append(_bytes(22, _text(1, node["type"])))
    if isinstance(node.get("items"), dict):
        out.append(_bytes(23, _bytes(1, encode_schema(node["items"]))))
    if node.get("properties"):
        out.append(_bytes(25, _entries(1, node["properties"], encode_schema)))
    out.append(_extensions(31, node))
    return b"".join(out)


def _parameter(node: Mapping[str, Any]) -> bytes:
    """A ParametersItem."""
    if node["in"] == "body":
        body = (
            _text(1, node.get("description"))
            + _text(2, node["name"])
            + _text(3, "body")
            + _int(4, node.get("required", False))
            + _bytes(5, encode_schema(node["schema"]))
        )
        return _bytes(1, _bytes(1, body))
    in_path = node["in"] == "path"
    # A query parameter has one field more in front of its type than a path parameter.
    type_field, unique_field, variant = (5, 19, 4) if in_path else (6, 20, 3)
    plain = (
        _int(1, node.get("required", False))
        + _text(2, node["in"])
        + _text(3, node.get("description"))
        + _text(4, node["name"])
        + _text(type_field, node["type"])
        + _int(unique_field, node.get("uniqueItems", False))
    )
    return _bytes(1, _bytes(2, _bytes(variant, plain)))


def _response(node: Mapping[str, Any]) -> bytes:
    """A ResponseValue."""
    response = _text(1, node.get("description"))
    if "schema" in node:
        response += _bytes(2, _bytes(1, encode_schema(node["schema"])))
    return _bytes(1, response)


def _operation(node: Mapping[str, Any]) -> bytes:
    return b"".join(
        (
            _texts(1, node.get("tags") or ()),
            _text(3, node.get("description")),
            _text(5, node.get("operationId")),
            _texts(6, node.get("produces") or ()),
            _texts(7, node.get("consumes") or ()),
            *(_bytes(8, _parameter(parameter)) for parameter in node.get("parameters") or ()),
            _bytes(9, _entries(1, node.get("responses") or {}, _response)),
            _texts(10, node.get("schemes") or ()),
            _extensions(13, node),
        )
    )


def _path_item(node: Mapping[str, Any]) -> bytes:
    out = [_bytes(number, _operation(node[method])) for method, number in _METHODS.items() if method in node]
    out += [_bytes(9, _parameter(parameter)) for parameter in node.get("parameters") or ()]
    return b"".join(out)


def _api_key(node: Mapping[str, Any]) -> bytes:
    """A SecurityDefinitionsItem."""
    return _bytes(
        2,
        _text(1, node["type"])
        + _text(2, node["name"])
        + _text(3, node["in"])
        + _text(4, node.get("description")),
    )


def encode_document(document: Object) -> bytes:
    """An openapi.v2.Document."""
    info = document["info"]
    return b"".join(
        (
            _text(1, document["swagger"]),
            _bytes(2, _text(1, info["title"]) + _text(2, info["version"])),
            _bytes(8, _entries(2, document["paths"], _path_item)),
            _bytes(9, _entries(1, document["definitions"], encode_schema)),
            *(
                _bytes(12, _entries(1, requirement, lambda scopes: _texts(1, scopes)))
                for requirement in document.get("security") or ()
            ),
            _bytes(13, _entries(1, document.get("securityDefinitions") or {}, _api_key)),
        )
    )
