from __future__ import annotations

import json
import struct
from typing import Any

from wherry.apiserver.openapi.protobuf import encode_document, encode_schema

Fields = dict[int, list[Any]]


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def decode(data: bytes) -> Fields:
    """Any protobuf message, field numbers to raw values."""
    fields: Fields = {}
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        value: Any
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        elif tag & 7 == 1:
            value, at = struct.unpack("<d", data[at : at + 8])[0], at + 8
        else:
            assert tag & 7 == 2
            size, at = read_varint(data, at)
            value, at = data[at : at + size], at + size
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def named(entries: list[bytes]) -> dict[str, Fields]:
    return {
        fields[1][0].decode(): decode(fields[2][0]) if 2 in fields else {} for fields in map(decode, entries)
    }


def test_schemas() -> None:
    schema = decode(
        encode_schema(
            {
                "type": "object",
                "description": "d",
                "required": ["a", "b"],
                "properties": {
                    "a": {"$ref": "#/definitions/X", "default": {}},
                    "b": {"type": "array", "items": {"type": "string", "format": "f"}, "maxItems": 300},
                    "c": {"type": "object", "additionalProperties": {"type": "integer"}},
                    "d": {"type": "number", "minimum": 1.5, "enum": [2, 3]},
                    "e": {"additionalProperties": True},
                },
                "x-kubernetes-group-version-kind": [{"group": "", "kind": "A", "version": "v1"}],
            }
        )
    )
    assert decode(schema[22][0]) == {1: [b"object"]}
    assert (schema[4], schema[19]) == ([b"d"], [b"a", b"b"])
    properties = named(decode(schema[25][0])[1])
    assert properties["a"][1] == [b"#/definitions/X"]
    assert decode(properties["a"][5][0]) == {2: [b"{}\n"]}
    items = decode(decode(properties["b"][23][0])[1][0])
    assert (decode(items[22][0])[1], items[2]) == ([b"string"], [b"f"])
    assert properties["b"][14] == [300]
    values = decode(decode(properties["c"][21][0])[1][0])
    assert decode(values[22][0]) == {1: [b"integer"]}
    assert properties["d"][9] == [1.5]
    assert [decode(value)[2] for value in properties["d"][20]] == [[b"2\n"], [b"3\n"]]
    assert decode(properties["e"][21][0]) == {2: [1]}
    extension = named(schema[31])["x-kubernetes-group-version-kind"]
    assert json.loads(extension[2][0]) == [{"group": "", "kind": "A", "version": "v1"}]


def test_documents() -> None:
    operation = {
        "operationId": "patchX",
        "tags": ["t"],
        "consumes": ["c"],
        "produces": ["p"],
        "parameters": [
            {"name": "body", "in": "body", "required": True, "schema": {"type": "object"}},
            {"name": "dryRun", "in": "query", "type": "string", "uniqueItems": True},
        ],
        "responses": {"200": {"description": "OK", "schema": {"type": "string"}}},
        "x-kubernetes-action": "patch",
    }
    document = decode(
        encode_document(
            {
                "swagger": "2.0",
                "info": {"title": "T", "version": "V"},
                "paths": {
                    "/x/{name}": {
                        "patch": operation,
                        "parameters": [{"name": "name", "in": "path", "required": True, "type": "string"}],
                    }
                },
                "definitions": {"X": {"type": "object"}},
                "security": [{"BearerToken": []}],
                "securityDefinitions": {"BearerToken": {"type": "apiKey", "name": "n", "in": "header"}},
            }
        )
    )
    assert document[1] == [b"2.0"]
    assert decode(document[2][0]) == {1: [b"T"], 2: [b"V"]}
    item = named(decode(document[8][0])[2])["/x/{name}"]
    patch = decode(item[8][0])
    assert (patch[5], patch[1], patch[6], patch[7]) == ([b"patchX"], [b"t"], [b"p"], [b"c"])
    body, query = (decode(decode(parameter)[1][0]) for parameter in patch[8])
    assert decode(body[1][0])[2] == [b"body"]
    plain = decode(decode(query[2][0])[3][0])
    assert (plain[2], plain[4], plain[6], plain[20]) == ([b"query"], [b"dryRun"], [b"string"], [1])
    in_path = decode(decode(decode(decode(item[9][0])[1][0])[2][0])[4][0])
    assert (in_path[1], in_path[4], in_path[5]) == ([1], [b"name"], [b"string"])
    response = decode(named(decode(patch[9][0])[1])["200"][1][0])
    assert response[1] == [b"OK"]
    assert json.loads(named(patch[13])["x-kubernetes-action"][2][0]) == "patch"
    assert list(named(decode(document[9][0])[1])) == ["X"]
    assert list(named(decode(document[12][0])[1])) == ["BearerToken"]
    key = decode(named(decode(document[13][0])[1])["BearerToken"][2][0])
    assert key == {1: [b"apiKey"], 2: [b"n"], 3: [b"header"]}
