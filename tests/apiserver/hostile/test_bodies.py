"""Bodies that are too large, too slow, too deep, cut off, or not what they say they are."""

from __future__ import annotations

import asyncio
import json
from math import isfinite
from typing import Any

import pytest

from tests.apiserver.hostile.conftest import DEEPS
from tests.apiserver.hostile.wire import (
    CONFIG_MAPS,
    PODS,
    PROTOBUF,
    YAML,
    ask,
    connected,
    head,
    refused,
    request,
)
from tests.apiserver.rig import Rig, pod
from tests.growth.meter import seconds_of
from wherry.api import protobuf
from wherry.api.protobuf.wire import delimited
from wherry.objects.nesting import (
    MAX_DEPTH,
    MOST_CONTAINERS,
    MOST_ENTRIES,
    TOO_DEEP,
    has_too_many,
    has_too_many_entries,
)

LIMIT = 3 * 1024 * 1024
TOO_LARGE = (413, "RequestEntityTooLarge", f"Request entity too large: limit is {LIMIT}")


def config_map(**fields: Any) -> bytes:
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, **fields}
    return json.dumps(made).encode()


def deep(levels: int, name: str = "deep") -> bytes:
    """A Deep whose spec is `levels` maps in each other; the whole is one level deeper."""
    spec = b'{"a":' * levels + b"1" + b"}" * levels
    return b'{"apiVersion":"x.io/v1","kind":"Deep","metadata":{"name":"%b"},"spec":%b}' % (
        name.encode(),
        spec,
    )


async def test_a_body_that_says_it_is_too_large_is_not_waited_for(rig: Rig) -> None:
    async with connected(rig.server.port) as peer:
        await peer.send(head("POST", CONFIG_MAPS, Content_Length=str(LIMIT + 1)))
        refused(await peer.reply(), *TOO_LARGE)
        assert await peer.ended() == b""


async def test_a_body_that_does_not_say_is_cut_off_when_it_is(rig: Rig) -> None:
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    async with connected(rig.server.port) as peer:
        sending = asyncio.create_task(
            peer.send(head("POST", CONFIG_MAPS, Transfer_Encoding="chunked"), *[piece] * 80)
        )
        refused(await peer.reply(), *TOO_LARGE)
        sending.cancel()


async def test_a_body_as_large_as_it_may_be_is_read(rig: Rig) -> None:
    body = config_map(data={"a": ""})
    reply = await ask(rig, "POST", CONFIG_MAPS, body + b" " * (LIMIT - len(body)))
    assert reply.code == 201


@pytest.mark.parametrize("content_type", ["application/json", "application/merge-patch+json"])
async def test_more_lists_and_maps_than_anybody_needs_are_refused(rig: Rig, content_type: str) -> None:
    body = config_map(data={"a": []}).replace(b"[]", b"[" + b"{}," * MOST_CONTAINERS + b"1]")
    path, method = (
        (CONFIG_MAPS, "POST") if content_type == "application/json" else (f"{CONFIG_MAPS}/a", "PATCH")
    )
    if method == "PATCH":
        assert (await ask(rig, "POST", CONFIG_MAPS, config_map())).code == 201
    reply = await ask(rig, method, path, body, content_type)
    said = f"Request entity too large: limit is {MOST_CONTAINERS} lists and maps"
    refused(reply, 413, "RequestEntityTooLarge", said)


MANY_LISTS = b"[[]" + b",[]" * MOST_CONTAINERS + b"]"


@pytest.mark.parametrize(
    "repeated",
    [
        delimited(1, delimited(1, b"a") + delimited(17, b"") * MOST_CONTAINERS),  # managedFields
        delimited(1, delimited(1, b"a") + delimited(17, delimited(7, delimited(1, MANY_LISTS)))),
        delimited(1, delimited(1, b"a")) + delimited(2, delimited(2, b"") * MOST_CONTAINERS),
    ],
    ids=["messages", "JSON in a field", "of another kind"],
)
async def test_more_lists_and_maps_in_protobuf_are_refused_before_they_are_made(
    rig: Rig, repeated: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = protobuf.wrap(repeated, "v1", "Pod")
    monkeypatch.setattr(protobuf, "decode", lambda *_: pytest.fail("it is read"))
    reply = await ask(rig, "POST", "/api/v1/namespaces/default/pods", body, protobuf.MEDIA_TYPE)
    said = f"Request entity too large: limit is {MOST_CONTAINERS} lists and maps"
    refused(reply, 413, "RequestEntityTooLarge", said)


async def test_json_in_a_field_of_a_message_nests_no_deeper_than_elsewhere(rig: Rig) -> None:
    deep = delimited(1, b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
    made = delimited(1, delimited(1, b"a") + delimited(17, delimited(7, deep)))
    body = protobuf.wrap(made, "v1", "ConfigMap")
    reply = await ask(rig, "POST", CONFIG_MAPS, body, protobuf.MEDIA_TYPE)
    assert reply.code == 400
    assert TOO_DEEP in reply.body.decode()


MANY_ENTRIES = b"".join(delimited(2, delimited(1, b"%06d" % n)) for n in range(MOST_ENTRIES + 1))
JSON_OF_MANY = config_map(data={"a": 1}).replace(
    b'"a": 1', b",".join(b'"%06d":""' % n for n in range(MOST_ENTRIES + 1))
)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(protobuf.wrap(MANY_ENTRIES, "v1", "ConfigMap"), protobuf.MEDIA_TYPE, id="protobuf"),
        pytest.param(JSON_OF_MANY, "application/json", id="json"),
    ],
)
async def test_more_entries_of_maps_are_refused_before_they_are_made(
    rig: Rig, body: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protobuf, "decode", lambda *_: pytest.fail("it is read"))
    assert len(body) > 1_000_000
    reply = await ask(rig, "POST", CONFIG_MAPS, body, kind)
    said = f"Request entity too large: limit is {MOST_ENTRIES} fields"
    refused(reply, 413, "RequestEntityTooLarge", said)


@pytest.mark.parametrize("text", ['":' * MOST_ENTRIES, '\\"": ' * MOST_ENTRIES])
async def test_colons_in_texts_are_no_entries(rig: Rig, text: str) -> None:
    assert (await ask(rig, "POST", CONFIG_MAPS, config_map(data={"a": text}))).code == 201


@pytest.mark.parametrize("text", ["[{" * MOST_CONTAINERS, '\\"[' * MOST_CONTAINERS])
async def test_brackets_in_texts_are_no_lists(rig: Rig, text: str) -> None:
    assert (await ask(rig, "POST", CONFIG_MAPS, config_map(data={"a": text}))).code == 201


@pytest.mark.parametrize("piece", [b":", b'"', b'\\"', b"[", b'"["', b'"\\"[', b"{ "])
def test_counting_takes_time_as_the_body(piece: bytes) -> None:
    body = piece * (MOST_CONTAINERS * 4 // len(piece))
    assert isfinite(seconds_of(lambda: has_too_many(body))), "squares of this take minutes"
    assert isfinite(seconds_of(lambda: has_too_many_entries(body)))


async def test_a_body_cut_short_leaves_nothing(rig: Rig) -> None:
    async with connected(rig.server.port) as peer:
        await peer.send(head("POST", CONFIG_MAPS, Content_Length="1000") + config_map())
        peer.writer.write_eof() if peer.writer.can_write_eof() else peer.writer.close()
    refused(await ask(rig, "GET", f"{CONFIG_MAPS}/a"), 404, "NotFound")


@pytest.mark.parametrize(
    ("content_type", "code", "reason", "text"),
    [
        ("text/plain", 415, "UnsupportedMediaType", "the body of the request was in an unknown format"),
        ("application/cbor", 415, "UnsupportedMediaType", "accepted media types include: application/json"),
        ("application/merge-patch+json", 415, "UnsupportedMediaType", "application/vnd.kubernetes.protobuf"),
        ("x" * 5000, 415, "UnsupportedMediaType", "the body of the request was in an unknown format"),
    ],
)
async def test_content_types(rig: Rig, content_type: str, code: int, reason: str, text: str) -> None:
    refused(await ask(rig, "POST", CONFIG_MAPS, config_map(), content_type), code, reason, text)
    patch = await ask(rig, "PATCH", f"{CONFIG_MAPS}/target", b"{}", "application/json")
    refused(patch, 415, "UnsupportedMediaType", "application/json-patch+json, application/merge-patch+json")


async def test_without_a_content_type_it_is_json(rig: Rig) -> None:
    assert (await ask(rig, "POST", CONFIG_MAPS, config_map(), "")).code == 201


MALFORMED_JSON = [
    pytest.param(b"", id="empty"),
    pytest.param(b"{", id="cut off"),
    pytest.param(b"\xff\xfe{}", id="not UTF-8"),
    pytest.param(b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"\xff"}}', id="not UTF-8 inside"),
    pytest.param(config_map(data={"a": "\ud800"}), id="half a surrogate pair"),
    pytest.param(config_map(data={"a": float("nan")}), id="NaN"),
    pytest.param(config_map(data={"a": float("inf")}), id="Infinity"),
    pytest.param(config_map(data=0).replace(b"0", b"1e999"), id="a number beyond all bounds"),
    pytest.param(b"[" * 100_000, id="open brackets"),
    pytest.param(b"[" * 100_000 + b"]" * 100_000, id="brackets"),
    pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="maps"),
    pytest.param(b"null", id="null"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b'"text"', id="a text"),
    pytest.param(b"1", id="a number"),
    pytest.param(config_map(kind="Pod"), id="another kind"),
    pytest.param(config_map(apiVersion="v9"), id="another version"),
    pytest.param(config_map(kind=1), id="a kind that is a number"),
    pytest.param(config_map(metadata=[]), id="metadata that is a list"),
]


@pytest.mark.parametrize("body", MALFORMED_JSON)
async def test_malformed_json(rig: Rig, body: bytes) -> None:
    refused(await ask(rig, "POST", CONFIG_MAPS, body), 400, "BadRequest")


BOMB = b'a0: &a0 ["%b"]\n' % (b"lol " * 100) + b"".join(
    b"a%d: &a%d [%b]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 12)
)
MALFORMED_YAML = [
    (BOMB, "document contains excessive aliasing"),
    (b"&a [*a]", "anchor 'a' value contains itself"),
    (b"a: &a {b: *a}", "anchor 'a' value contains itself"),
    (b"a: *b", "unknown anchor 'b' referenced"),
    (b"a:\n\tb: 1", "found character that cannot start any token"),
    (b"a: 1\n---\nb: 2\n", "expected a single document"),
    (b"[" * 100_000 + b"]" * 100_000, "exceeded max depth of 200"),
    (b"a: [", "did not find expected node content"),
    (b"[1]: 2", "unsupported map key of type list"),
    (b"a: .nan", "json: unsupported value: .nan"),
    (b"a: \xff", "invalid leading UTF-8 octet"),
    (b'a: "\x01"', "control characters are not allowed"),
    (b"a: !!int b", "cannot decode !!str `b` as a !!int"),
    (b"a: !!binary '*'", "cannot decode !!str `*` as a !!binary"),
    (b"!!python/object/apply:os.system ['true']", "cannot unmarshal"),
    (b"# nothing", "cannot unmarshal"),
]


@pytest.mark.parametrize(("body", "text"), MALFORMED_YAML, ids=lambda it: str(it)[:20])
async def test_malformed_yaml(rig: Rig, body: bytes, text: str) -> None:
    refused(await ask(rig, "POST", CONFIG_MAPS, body, YAML), 400, "BadRequest", text)
    apply = f"{CONFIG_MAPS}/target?fieldManager=m"
    assert (await ask(rig, "PATCH", apply, body, "application/apply-patch+yaml")).code == 400


def pod_with(field: str, number: str) -> bytes:
    return json.dumps(pod("numbers")).replace('"containers"', f'"{field}":{number},"containers"').encode()


@pytest.mark.parametrize(
    ("field", "number", "text"),
    [
        ("priority", "2147483648", "cannot unmarshal number 2147483648 into Go struct field"),
        ("priority", "-2147483649", "of type int32"),
        ("activeDeadlineSeconds", "9223372036854775808", "of type int64"),
        ("activeDeadlineSeconds", "9" * 5000, "number is infinity"),
        ("activeDeadlineSeconds", "1.5", "cannot unmarshal number 1.5 into Go struct field"),
        ("activeDeadlineSeconds", "1e400", "number is infinity"),
        ("activeDeadlineSeconds", '"1"', "cannot unmarshal string into Go struct field"),
        ("hostNetwork", "1", "cannot unmarshal number into Go struct field"),
    ],
)
async def test_numbers_out_of_range(rig: Rig, field: str, number: str, text: str) -> None:
    refused(await ask(rig, "POST", PODS, pod_with(field, number)), 400, "BadRequest", text)


@pytest.mark.parametrize(
    "moment",
    ["now", "2020-01-01", "2020-01-01T00:00:00", "2020-13-01T00:00:00Z", "0000-00-00T00:00:00Z", 1, {}],
)
async def test_dates_that_are_none(rig: Rig, moment: Any) -> None:
    body = config_map(metadata={"name": "a", "creationTimestamp": moment})
    refused(await ask(rig, "POST", CONFIG_MAPS, body), 400, "BadRequest", "cannot be handled as a ConfigMap")


DOUBLE = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice","name":"b","odd":1},"data":{}}'
DOUBLE_YAML = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: twice\n  name: b\n  odd: 1\n"


async def test_fields_that_stand_twice(rig: Rig) -> None:
    strict = f"{CONFIG_MAPS}?fieldValidation=Strict&dryRun=All"
    said = 'strict decoding error: duplicate field "metadata.name", unknown field "metadata.odd"'
    refused(await ask(rig, "POST", strict, DOUBLE), 400, "BadRequest", said)
    said = (
        'strict decoding error: yaml: unmarshal errors:\n  line 5: key "name" already set in map, '
        'unknown field "metadata.odd"'
    )
    refused(await ask(rig, "POST", strict, DOUBLE_YAML, YAML), 400, "BadRequest", said)
    for query, warns in (("", True), ("&fieldValidation=Warn", True), ("&fieldValidation=Ignore", False)):
        reply = await ask(rig, "POST", f"{CONFIG_MAPS}?dryRun=All{query}", DOUBLE_YAML, YAML)
        assert (reply.code, reply.json["metadata"]["name"]) == (201, "b")
        assert ("warning" in reply.headers) == warns
    refused(await ask(rig, "POST", f"{CONFIG_MAPS}?fieldValidation=x", DOUBLE), 422, "Invalid", "fieldValid")


async def test_fields_that_stand_twice_in_patches(rig: Rig) -> None:
    target = f"{CONFIG_MAPS}/target?fieldValidation=Strict&dryRun=All"
    merge = await ask(rig, "PATCH", target, b'{"data":{"a":"1","a":"2"}}', "application/merge-patch+json")
    refused(merge, 422, "Invalid", 'strict decoding error: duplicate field "data.a"')
    operations = b'[{"op":"add","path":"/data/b","value":"1","foo":1,"value":"2"}]'
    json_patch = await ask(rig, "PATCH", target, operations, "application/json-patch+json")
    said = 'json patch unknown field "[0].foo", json patch duplicate field "[0].value"'
    refused(json_patch, 422, "Invalid", said)


async def test_what_is_as_deep_as_allowed_lives(rig: Rig) -> None:
    """An object at the limit can be stored, read in every form, patched and deleted."""
    assert (await ask(rig, "POST", DEEPS, deep(199))).code == 201
    target = f"{DEEPS}/deep"
    for accept in ("application/json", YAML, "application/json;as=Table;g=meta.k8s.io;v=v1"):
        assert (await ask(rig, "GET", target, headers={"Accept": accept})).code == 200
        assert (await ask(rig, "GET", DEEPS, headers={"Accept": accept})).code == 200
    merge = b'{"spec":' + b'{"a":' * 199 + b"2" + b"}" * 199 + b"}"
    assert (await ask(rig, "PATCH", target, merge, "application/merge-patch+json")).code == 200
    apply = deep(199).replace(b":1}", b":3}")
    query = f"{target}?fieldManager=m&force=true"
    assert (await ask(rig, "PATCH", query, apply, "application/apply-patch+yaml")).code == 200
    assert (await ask(rig, "DELETE", target)).code == 200


async def test_what_is_deeper_is_refused_everywhere(rig: Rig) -> None:
    said = "exceeded max depth of 200"
    assert (await ask(rig, "POST", DEEPS, deep(10))).code == 201
    refused(await ask(rig, "POST", DEEPS, deep(200, "b")), 400, "BadRequest", said)
    refused(await ask(rig, "POST", DEEPS, deep(200, "b"), YAML), 400, "BadRequest", said)
    refused(await ask(rig, "PUT", f"{DEEPS}/deep", deep(200)), 400, "BadRequest", said)
    merge = b'{"spec":' + b'{"a":' * 200 + b"2" + b"}" * 201
    for kind in ("application/merge-patch+json", "application/apply-patch+yaml"):
        target = f"{DEEPS}/deep" + ("?fieldManager=m" if "apply" in kind else "")
        refused(await ask(rig, "PATCH", target, merge, kind), 400, "BadRequest", said)


def envelope(content: bytes, tail: bytes = b"") -> bytes:
    """A ConfigMap's protobuf envelope around `content`."""
    type_meta = b"\x0a\x02v1\x12\x09ConfigMap"
    size = len(content)
    length = bytes((size,)) if size < 128 else bytes((size & 127 | 128, size >> 7 & 127 | 128, size >> 14))
    return b"k8s\x00\x0a\x0f" + type_meta + b"\x12" + length + content + tail


BAD_PROTOBUF = [
    pytest.param(b"", id="empty"),
    pytest.param(b"k8s", id="half the magic"),
    pytest.param(b"k8s\x00", id="magic alone"),
    pytest.param(b"k8s\x00\x0a", id="a cut tag"),
    pytest.param(b"k8s\x00\x0a\xff", id="a cut length"),
    pytest.param(b"k8s\x00" + b"\xff" * 20, id="an endless varint"),
    pytest.param(b"k8s\x00\x0a\xff\xff\xff\xff\x0f", id="a length of gigabytes"),
    pytest.param(b"k8s\x00" + b"\x0b" * 100_000, id="open groups"),
    pytest.param(b"k8s\x00\x08\x01", id="a wrong wire type"),
    pytest.param(b"{}", id="JSON"),
    pytest.param(envelope(b"\x0a\xff"), id="a cut message"),
    pytest.param(envelope(b"\x0b\x0c"), id="a group"),
    pytest.param(envelope(b"\x08\x01"), id="a number for metadata"),
    pytest.param(envelope(b"\x0a\x03\x0a\x01\xff"), id="a name that is not UTF-8"),
    pytest.param(envelope(b"", b"\x1a\x04gzip"), id="an unknown encoding"),
]


@pytest.mark.parametrize("body", BAD_PROTOBUF)
async def test_bad_protobuf(rig: Rig, body: bytes) -> None:
    refused(await ask(rig, "POST", CONFIG_MAPS, body, PROTOBUF), 400, "BadRequest")
    refused(await ask(rig, "PUT", f"{CONFIG_MAPS}/target", body, PROTOBUF), 400, "BadRequest")
    if body:
        assert (await ask(rig, "DELETE", f"{CONFIG_MAPS}/target?dryRun=All", body, PROTOBUF)).code == 400


async def test_protobuf_for_a_custom_resource(rig: Rig) -> None:
    refused(await ask(rig, "POST", DEEPS, envelope(b""), PROTOBUF), 415, "UnsupportedMediaType")


@pytest.mark.parametrize(
    "options",
    [
        {"preconditions": 1},
        {"preconditions": {"uid": 1}},
        {"dryRun": 1},
        {"dryRun": "All"},
        {"dryRun": [{}]},
        {"propagationPolicy": {}},
        {"orphanDependents": "yes"},
        {"gracePeriodSeconds": "1"},
        {"gracePeriodSeconds": 1 << 63},
        {"gracePeriodSeconds": 1.5},
        [],
        "x",
    ],
    ids=str,
)
async def test_bad_delete_options(rig: Rig, options: Any) -> None:
    body = json.dumps(options).encode()
    refused(await ask(rig, "DELETE", f"{PODS}/target", body), 400, "BadRequest", "DeleteOptions")
    refused(await ask(rig, "DELETE", PODS, body), 400, "BadRequest", "DeleteOptions")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "deleteOptions": options}
    evict = await ask(rig, "POST", f"{PODS}/target/eviction", json.dumps(eviction).encode())
    refused(evict, 400, "BadRequest", "Eviction")
    assert (await ask(rig, "GET", f"{PODS}/target")).code == 200


@pytest.mark.parametrize("seconds", [(1 << 63) - 1, 10**15, 10**11, -1, -(1 << 63)])
async def test_a_patience_beyond_all_calendars(rig: Rig, seconds: int) -> None:
    body = json.dumps({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": seconds}).encode()
    reply = await ask(rig, "DELETE", f"{PODS}/target", body)
    assert reply.code == 200
    assert reply.json["metadata"]["deletionGracePeriodSeconds"] == (seconds if seconds > 0 else 1)


@pytest.mark.parametrize(
    ("path", "api_version", "kind", "spec"),
    [
        ("serviceaccounts/default/token", "authentication.k8s.io/v1", "TokenRequest", {"audiences": 1}),
        ("serviceaccounts/default/token", "authentication.k8s.io/v1", "TokenRequest", {"boundObjectRef": 1}),
        ("serviceaccounts/default/token", "authentication.k8s.io/v1", "TokenRequest", 1),
        ("pods/target/binding", "v1", "Binding", 1),
    ],
)
async def test_subresources_of_another_kind(
    rig: Rig, path: str, api_version: str, kind: str, spec: Any
) -> None:
    sent = {"apiVersion": api_version, "kind": kind, "spec": spec, "target": spec}
    reply = await ask(rig, "POST", f"/api/v1/namespaces/default/{path}", json.dumps(sent).encode())
    refused(reply, 400, "BadRequest", f'{kind} in version "v1" cannot be handled as a {kind}')


async def test_an_object_full_of_unknown_fields_is_warned_of_briefly(rig: Rig) -> None:
    body = config_map(**{f"{'x' * 300}{number}": 1 for number in range(5000)})
    async with connected(rig.server.port) as peer:
        await peer.send(request("POST", f"{CONFIG_MAPS}?dryRun=All", body))
        answer = await peer.reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 201")
    assert 10 < answer.count(b"\r\nWarning: ") <= 16
    assert len(answer) < 6000
