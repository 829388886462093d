"""Reading request bodies: JSON or YAML in, a private object of the right kind out.

Unknown and repeated fields are what `fieldValidation` is about. orjson silently keeps the last of
repeated keys, so they are found by counting: the bytes sent and the re-encoded object must hold
the same number of `":`; only when they do not is the slow parser asked which key it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from wherry.api.resource import Resource
from wherry.apiserver.call import JSON, Call
from wherry.objects.errors import bad_request, unsupported_media_type
from wherry.objects.meta import Object

if TYPE_CHECKING:
    import yaml

YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
TAKEN = (JSON, YAML, PROTOBUF)
STRICT, WARN, IGNORE = "Strict", "Warn", "Ignore"
INCONSISTENT = "the API version in the data ({found}) does not match the expected API version ({wanted})"


class NotAnObject(Exception):
    """The body cannot be read as an object; says why."""


def media_type(content_type: str) -> str:
    """The media type without parameters; JSON when the client did not say."""
    return content_type.partition(";")[0].strip().lower() or JSON


def private_copy(obj: Any) -> Any:
    """A deep copy (through orjson, which is faster than copying in Python)."""
    return orjson.loads(orjson.dumps(obj))


def parse(body: bytes, content_type: str) -> Any:
    """Decode bytes by content type. Raises ApiError (415) and NotAnObject."""
    kind = media_type(content_type)
    if kind == JSON or kind.endswith("+json"):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise NotAnObject(f"couldn't get version/kind; json parse error: {error}") from error
    if kind == YAML or kind.endswith("+yaml"):
        return _parse_yaml(body)
    if kind == PROTOBUF:
        return _parse_protobuf(body)
    raise unsupported_media_type(TAKEN)


def _parse_protobuf(body: bytes) -> Object:
    from wherry.api.protobuf import ProtobufError, decode

    try:
        return decode(body)
    except ProtobufError as error:
        raise NotAnObject(f"couldn't get version/kind; protobuf parse error: {error}") from error


def _parse_yaml(body: bytes) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # Through JSON, so that YAML's dates and binary values cannot get into objects.
        return orjson.loads(orjson.dumps(yaml.load(body, Loader=loader)))  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        raise NotAnObject(f"error converting YAML to JSON: yaml: {yaml_problem(error)}") from error
    except yaml.YAMLError as error:
        raise NotAnObject(f"error converting YAML to JSON: yaml: {error}") from error
    except TypeError as error:
        raise NotAnObject(f"error converting YAML to JSON: {error}") from error


def yaml_problem(error: yaml.MarkedYAMLError) -> str:
    """What is wrong and in which line, in the words of the parser upstream uses."""
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}: " if mark is not None and mark.line else ""
    return f"{where}{error.problem or error}"


def read_options(call: Call) -> Object | None:
    """The body of a DELETE: DeleteOptions, None when there is no body. Raises ApiError."""
    if not call.body:
        return None
    if isinstance(call.body, dict):
        return call.body
    try:
        options = parse(call.body, call.content_type)
    except NotAnObject as error:
        raise bad_request(f"unable to decode DeleteOptions: {error}") from error
    if not isinstance(options, dict):
        raise bad_request("unable to decode DeleteOptions: not an object")
    return options


def read_object(
    call: Call, resource: Resource, api_version: str = "", kind: str = "", also: tuple[str, ...] = ()
) -> Object:
    """The call's body as an object of `kind` (the resource's own if not given), checked field by field.

    apiVersion and kind are filled in when absent; the versions in `also` look the same and are taken for
    `api_version`. Raises ApiError (400, 415).
    """
    api_version = api_version or resource.api_version
    kind = kind or resource.kind
    if isinstance(call.body, bytes):
        if not call.body:
            raise bad_request("the request body is empty; an object is required")
        if resource.custom is not None and media_type(call.content_type) == PROTOBUF:
            raise unsupported_media_type((JSON, YAML))
        try:
            obj = parse(call.body, call.content_type)
        except NotAnObject as error:
            raise bad_request(
                f"the object provided is unrecognized (must be of type {kind}): {error}"
            ) from error
    else:
        obj = private_copy(call.body)
    if not isinstance(obj, dict):
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
            "json parse error: json: cannot unmarshal into Go value of type struct"
        )
    if obj.get("apiVersion") in also:
        obj["apiVersion"] = api_version
    _check_kind(obj, api_version, kind)
    if kind == resource.kind:
        check_fields(call, obj, resource)
    obj = {"apiVersion": api_version, "kind": kind, **obj}
    if not isinstance(obj.get("metadata"), dict):
        obj["metadata"] = {}
    return obj


def _check_kind(obj: Object, api_version: str, kind: str) -> None:
    found_version = obj.get("apiVersion") or api_version
    found_kind = obj.get("kind") or kind
    if found_version != api_version:
        raise bad_request(INCONSISTENT.format(found=found_version, wanted=api_version))
    if found_kind != kind:
        version = api_version.rpartition("/")[2]
        raise bad_request(
            f'{found_kind} in version "{version}" cannot be handled as a {kind}: '
            f"converting ({version}.{found_kind}) to ({version}.{kind}): unknown conversion"
        )
    obj["apiVersion"], obj["kind"] = api_version, kind


def check_fields(call: Call, obj: Object, resource: Resource) -> None:
    """Refuse what cannot be decoded; refuse or warn of unknown and repeated fields, as asked.

    Drops nulls, which mean absent. Raises ApiError (400).
    """
    from wherry.api import schema

    if resource.custom is not None:
        findings = resource.custom.check(obj)
    elif resource.schema:
        findings = schema.check(obj, schema.definition(resource.schema))
    else:
        return
    prefix = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
    if findings.errors:
        raise bad_request(prefix + findings.errors[0])
    wanted = call.query.get("fieldValidation") or WARN
    if wanted == IGNORE:
        return
    complaints = list(findings.unknown)
    if isinstance(call.body, bytes) and media_type(call.content_type) == JSON:
        complaints.extend(f'duplicate field "{path}"' for path in repeated_fields(call.body))
    if not complaints:
        return
    if wanted == STRICT:
        raise bad_request(f"{prefix}strict decoding error: {', '.join(complaints)}")
    call.warnings.extend(complaints)


def repeated_fields(body: bytes) -> list[str]:
    """Paths of keys that stand twice in one JSON object of `body`, in order of appearance."""
    if body.count(b'":') == orjson.dumps(orjson.loads(body)).count(b'":'):
        return []
    return list(_repeats(json.loads(body, object_pairs_hook=_Pairs), ""))


class _Pairs:
    """A JSON object with every pair it was written with."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _repeats(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value.pairs:
            below = f"{path}.{key}" if path else key
            if key in seen:
                yield below
            seen.add(key)
            yield from _repeats(item, below)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _repeats(item, f"{path}[{index}]")
