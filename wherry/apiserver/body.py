"""Reading request bodies: JSON or YAML in, a private object of the right kind out.

Unknown and repeated fields are what `fieldValidation` is about; `strictness` says what they are called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from wherry.api import schema
from wherry.api.resource import Resource
from wherry.api.schema import Findings
from wherry.apiserver import strictness
from wherry.apiserver.beside import LARGE, beside
from wherry.apiserver.call import BodyRead, Call
from wherry.apiserver.json_problems import json_problem, summary
from wherry.apiserver.media_types import JSON, PROTOBUF, YAML
from wherry.apiserver.strictness import IGNORE, STRICT, WARN
from wherry.objects.errors import MOST_COMPLAINTS, ApiError, bad_request, too_large, unsupported_media_type
from wherry.objects.meta import Object
from wherry.objects.nesting import (
    MAX_DEPTH,
    MOST_CONTAINERS,
    MOST_ENTRIES,
    TOO_DEEP,
    has_too_many,
    has_too_many_entries,
    is_too_deep,
)

if TYPE_CHECKING:
    from wherry.apiserver.parts import Parts
    from wherry.kit.yaml_reader import Document

TAKEN = (JSON, YAML, PROTOBUF)
OTHER_SCHEMAS = {
    ("autoscaling/v1", "Scale"): "io.k8s.api.autoscaling.v1.Scale",
    ("v1", "Binding"): "io.k8s.api.core.v1.Binding",
    ("policy/v1", "Eviction"): "io.k8s.api.policy.v1.Eviction",
    ("authentication.k8s.io/v1", "TokenRequest"): "io.k8s.api.authentication.v1.TokenRequest",
}
"""What bodies of subresources look like that are of another kind than the resource."""
DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
INCONSISTENT = "the API version in the data ({found}) does not match the expected API version ({wanted})"


LARGE_JSON = 256 * 1024
"""From so many bytes on JSON is read beside the loop; what Python reads, YAML and protobuf, when `LARGE`."""
QUICK = frozenset({JSON, "application/json-patch+json", "application/merge-patch+json"})
_FRACTION = re.compile(rb"[0-9][.eE]")


class NotAnObject(Exception):
    """The body cannot be read as an object; says why."""


def media_type(content_type: str) -> str:
    """The media type without parameters; JSON when the client did not say."""
    if content_type in QUICK:  # nearly always
        return content_type
    return content_type.partition(";")[0].strip().lower() or JSON


def private_copy(obj: Any) -> Any:
    """A deep copy (through orjson, which is faster than copying in Python)."""
    return orjson.loads(orjson.dumps(obj))


def is_large(call: Call) -> bool:
    """Whether reading the body would take so long that it is to be read beside the loop (`read_beside`)."""
    body = call.body
    if not isinstance(body, bytes) or len(body) < LARGE:
        return False
    return len(body) >= LARGE_JSON or media_type(call.content_type) not in QUICK


async def read_beside(core: Parts, call: Call) -> None:
    """Read a large body in a thread, which shares the interpreter with the loop but never keeps it."""
    call.body_read = await beside(core, call, partial(_read, call.body, call.content_type))


def _read(body: bytes, content_type: str) -> BodyRead:
    try:
        if is_yaml(content_type) and not is_plain_json(body):
            document = _read_yaml(body)
            return BodyRead(private_copy(document.value), repeats=document.repeated[:MOST_COMPLAINTS])
        return BodyRead(parse(body, content_type))
    except (ApiError, NotAnObject) as error:
        return BodyRead(refusal=error)


def body_of(call: Call) -> Any:
    """The decoded body of a call that has bytes, private each time. Raises ApiError (415) and NotAnObject."""
    known = call.body_read
    if known is None or known.is_taken:
        return parse(call.body, call.content_type)
    if known.refusal is not None:
        raise known.refusal
    call.body_read = BodyRead(repeats=known.repeats, is_taken=True)
    return known.value


def yaml_repeats(call: Call) -> Sequence[str]:
    """Texts about keys that stand twice in a YAML body."""
    if call.body_read is not None:
        return call.body_read.repeats
    return strictness.yaml_repeats(call.body)


def is_yaml(content_type: str) -> bool:
    """Whether a body of this type is to be read as YAML."""
    kind = media_type(content_type)
    return kind == YAML or kind.endswith("+yaml")


def is_plain_json(body: bytes) -> bool:
    """Whether a YAML body is JSON that means the same either way, without a key that stands twice.

    Fractions are left to YAML, to which `5.0` is a whole number, and so is what has too much of anything.
    """
    if body.lstrip()[:1] != b"{" or _FRACTION.search(body) or has_too_many(body):
        return False
    try:
        return not strictness.has_repeats(body)
    except orjson.JSONDecodeError:
        return False


def parse(body: bytes, content_type: str) -> Any:
    """Decode bytes by content type. Raises ApiError (415) and NotAnObject."""
    kind = media_type(content_type)
    if kind == JSON or kind.endswith("+json"):
        return _parse_json(body)
    if kind == YAML or kind.endswith("+yaml"):
        return _parse_json(body) if is_plain_json(body) else _parse_yaml(body)
    if kind == PROTOBUF:
        return _parse_protobuf(body)
    raise unsupported_media_type(TAKEN)


def _parse_protobuf(body: bytes) -> Object:
    from wherry.api import protobuf

    if excess := protobuf.excess_of(body):
        raise too_large(*excess)
    try:
        value = protobuf.decode(body)
    except protobuf.ProtobufError as error:
        raise NotAnObject(f"couldn't get version/kind; protobuf parse error: {error}") from error
    # Messages nest less deep; what lies deeper is JSON in a field.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH - protobuf.MAX_DEPTH and is_too_deep(value):
        raise NotAnObject(f"couldn't get version/kind; protobuf parse error: {TOO_DEEP}")
    return value


def _parse_json(body: bytes) -> Any:
    if has_too_many(body):
        raise too_large(MOST_CONTAINERS, "lists and maps")
    if has_too_many_entries(body):
        raise too_large(MOST_ENTRIES, "fields")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        problem = json_problem(body, str(error))
        raise NotAnObject(f"couldn't get version/kind; json parse error: {problem}") from error
    # Only what has so many brackets can be so deep, which spares nearly all bodies the walk.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and is_too_deep(value):
        raise NotAnObject(f"couldn't get version/kind; json parse error: {TOO_DEEP}")
    return value


def _parse_yaml(body: bytes) -> Any:
    # A copy, so that what an alias names does not stand in two places as one object.
    return private_copy(_read_yaml(body).value)


def _read_yaml(body: bytes) -> Document:
    from wherry.kit.yaml_reader import YamlError, read

    try:
        return read(body, max_depth=MAX_DEPTH)
    except YamlError as error:
        raise NotAnObject(f"error converting YAML to JSON: yaml: {error}") from error


def read_options(call: Call) -> Object | None:
    """The body of a DELETE: DeleteOptions, None when there is no body. Raises ApiError."""
    if not call.body:
        return None
    if isinstance(call.body, dict):
        return call.body
    if media_type(call.content_type) not in TAKEN:
        raise unsupported_media_type(TAKEN)
    try:
        options = body_of(call)
    except NotAnObject as error:
        raise bad_request(f"unable to decode DeleteOptions: {error}") from error
    if not isinstance(options, dict):
        raise bad_request("unable to decode DeleteOptions: not an object")
    findings = schema.check(options, schema.definition(DELETE_OPTIONS))
    if findings.errors:
        prefix = 'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: '
        raise bad_request(prefix + findings.errors[0])
    return options


async def read_object(
    core: Parts,
    call: Call,
    resource: Resource,
    api_version: str = "",
    kind: str = "",
    also: tuple[str, ...] = (),
    is_known: Callable[[str, str], bool] | None = None,
) -> Object:
    """The call's body as an object, as `_object_in` says; read beside the loop when it is large."""
    return await beside(
        core, call, lambda: _object_in(call, resource, api_version, kind, also=also, is_known=is_known)
    )


def _object_in(
    call: Call,
    resource: Resource,
    api_version: str,
    kind: str,
    *,
    also: tuple[str, ...],
    is_known: Callable[[str, str], bool] | None,
) -> Object:
    """The call's body as an object of `kind` (the resource's own if not given), checked field by field.

    apiVersion and kind are filled in when absent; the versions in `also` look the same and are taken for
    `api_version`. `is_known` tells whether a kind exists in an API version, for the words of a refusal.
    Raises ApiError (400, 415).
    """
    api_version = api_version or resource.api_version
    kind = kind or resource.kind
    if isinstance(call.body, bytes):
        taken = TAKEN if resource.has_protobuf and resource.custom is None else (JSON, YAML)
        if media_type(call.content_type) not in taken:
            raise unsupported_media_type(taken)
        try:
            obj = body_of(call)
        except NotAnObject as error:
            raise _unrecognized(kind, str(error), call.body) from error
    else:
        obj = orjson.loads(call.encoded)
    if not isinstance(obj, dict):
        problem = json_problem(orjson.dumps(obj))
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {problem}", call.encoded)
    if obj.get("apiVersion") in also:
        obj["apiVersion"] = api_version
    _check_kind(obj, api_version, kind, is_known if resource.custom is None else None)
    check_fields(call, obj, resource, api_version, kind)
    obj = {"apiVersion": api_version, "kind": kind, **obj}
    if not isinstance(obj.get("metadata"), dict):
        obj["metadata"] = {}
    return obj


def _unrecognized(kind: str, problem: str, body: bytes) -> ApiError:
    return bad_request(
        f"the object provided is unrecognized (must be of type {kind}): {problem} ({summary(body)})"
    )


def _check_kind(
    obj: Object, api_version: str, kind: str, is_known: Callable[[str, str], bool] | None
) -> None:
    found_version = obj.get("apiVersion") or api_version
    found_kind = obj.get("kind") or kind
    version = str(found_version).rpartition("/")[2]
    if (found_version, found_kind) != (api_version, kind) and is_known is not None:
        prefix = f'{found_kind} in version "{version}" cannot be handled as a {kind}: '
        if not is_known(str(found_version), str(found_kind)):
            raise bad_request(
                f'{prefix}no kind "{found_kind}" is registered for version "{found_version}" in scheme '
                '"pkg/api/legacyscheme/scheme.go:30"'
            )
    if found_kind != kind:
        internal = api_version.rpartition("/")[0].partition(".")[0] or "core"
        raise bad_request(
            f'{found_kind} in version "{version}" cannot be handled as a {kind}: '
            f"converting ({version}.{found_kind}) to ({internal}.{kind}): unknown conversion"
        )
    if found_version != api_version:
        raise bad_request(INCONSISTENT.format(found=found_version, wanted=api_version))
    obj["apiVersion"], obj["kind"] = api_version, kind


def findings_in(
    obj: Object, resource: Resource, api_version: str = "", kind: str = "", *, keeps_zeros: bool = False
) -> Findings:
    """What decoding finds in `obj`: unknown fields and errors.

    Drops nulls, unknown fields, and zeros Go's types cannot tell from nothing unless it `keeps_zeros`.
    `api_version` and `kind` name what is read when it is not the resource itself.
    """
    if kind and kind != resource.kind:
        name = OTHER_SCHEMAS.get((api_version, kind))
        return schema.check(obj, schema.definition(name)) if name else schema.Findings()
    if resource.custom is not None:
        return resource.custom.check(obj)
    if resource.schema:
        return schema.check(obj, schema.definition(resource.schema), keeps_zeros=keeps_zeros)
    return schema.Findings()


def check_fields(call: Call, obj: Object, resource: Resource, api_version: str = "", kind: str = "") -> None:
    """Refuse what cannot be decoded; refuse or warn of unknown and repeated fields, as asked.

    Drops nulls, which mean absent. Raises ApiError (400).
    """
    kind = kind or resource.kind
    findings = findings_in(obj, resource, api_version, kind)
    version = (api_version or resource.api_version).rpartition("/")[2]
    prefix = f'{kind} in version "{version}" cannot be handled as a {kind}: '
    if findings.errors:
        raise bad_request(prefix + findings.errors[0])
    wanted = call.query.get("fieldValidation") or WARN
    if wanted == IGNORE:
        return
    repeats, complaints = _complaints(call, resource, findings.unknown)
    if wanted == STRICT and (repeats or complaints):
        texts = [strictness.yaml_strict_error(repeats), *complaints] if repeats else complaints
        raise bad_request(f"{prefix}strict decoding error: {', '.join(texts)}")
    call.warnings.extend([*repeats, *complaints])


def _complaints(call: Call, resource: Resource, unknown: Sequence[str]) -> tuple[list[str], list[str]]:
    """Repeated keys of a YAML body, and all other complaints."""
    if not isinstance(call.body, bytes):
        return [], list(unknown)
    kind = media_type(call.content_type)
    if kind == YAML:
        return list(yaml_repeats(call)), strictness.converted_complaints((), unknown)
    if kind != JSON:
        return [], list(unknown)
    if resource.custom is not None:
        return [], strictness.converted_complaints(strictness.json_repeats(call.body), unknown)
    return [], strictness.json_complaints(call.body, unknown)
