"""Bytes from anybody: what is wrong is said cleanly, and costs nothing."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.protobuf.building import build
from wherry.api import protobuf
from wherry.api.core.pods import PODS
from wherry.api.protobuf import ProtobufError
from wherry.api.protobuf.wire import delimited
from wherry.objects.meta import Object

POD = protobuf.encode(build(PODS, Random(1), 0.2))
BUILT = protobuf.encode(build(PODS, Random(5), 0.05))
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


def pod(raw: bytes) -> bytes:
    return protobuf.wrap(raw, "v1", "Pod")


def meta(raw: bytes) -> bytes:
    return pod(delimited(1, raw))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"k8s",
        b'{"kind":"Pod"}',
        b"k8s\x00",
        protobuf.wrap(b"", "example.com/v1", "Widget"),
        protobuf.wrap(b"", "v1", "Table"),
        meta(b"\x0a\x05ab"),  # a text longer than what there is
        meta(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),  # a length of nearly 2^63
        meta(b"\x0a" + b"\xff" * 9 + b"\x01"),  # a length of 2^64 - 1
        meta(b"\x38" + b"\x80" * 10 + b"\x01"),  # a number of eleven bytes
        meta(b"\x38\x80"),  # a number that does not end
        meta(b"\x08\x01"),  # the name as a number
        meta(b"\x3a\x01a"),  # the generation as a text
        meta(b"\x0a\x02\xff\xfe"),  # a name that is not UTF-8
        meta(b"\xfb\x07"),  # a group
        meta(b"\x02\x00"),  # the field 0
        meta(b"\xf9\x07\x00"),  # an unknown fixed number that does not end
        meta(b"\x42\x06\x08" + b"\xff" * 4 + b"\x0f\x10"),  # a time that does not end
        meta(delimited(8, b"\x08\x80\x80\x80\x80\x80\x80\x80\x40")),  # a time after the year 9999
        meta(delimited(17, delimited(7, delimited(1, b"{not json")))),
        pod(delimited(1, b"")) + b"\x1a\x04gzip",  # content encoded in another way
    ],
)
def test_what_is_wrong_is_a_protobuf_error(data: bytes) -> None:
    with pytest.raises(ProtobufError):
        protobuf.decode(data)
    assert issubclass(ProtobufError, ValueError)


def test_a_pod_cut_off_anywhere_is_refused_or_shorter() -> None:
    whole = len(protobuf.decode(BUILT))
    for size in range(len(BUILT)):
        try:
            assert len(protobuf.decode(BUILT[:size])) <= whole
        except ProtobufError:
            continue


@given(at=st.integers(0, len(POD) - 1), byte=st.integers(0, 255))
@settings(max_examples=300, deadline=None, database=None)
def test_a_changed_byte_never_does_more_than_that(at: int, byte: int) -> None:
    changed = POD[:at] + bytes([byte]) + POD[at + 1 :]
    try:
        assert isinstance(protobuf.decode(changed), dict)
    except ProtobufError:
        return


@given(raw=st.binary(max_size=200))
@settings(max_examples=200, deadline=None, database=None)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        assert isinstance(protobuf.decode(pod(raw)), dict)
    except ProtobufError:
        return


def _schema(depth: int) -> bytes:
    schema = b""
    for _ in range(depth):
        schema = delimited(28, schema)  # not: {not: {...}}
    version = delimited(4, delimited(1, schema))
    return protobuf.wrap(delimited(2, delimited(7, version)), *CRD)


def test_messages_nest_only_so_deep() -> None:
    decoded = protobuf.decode(_schema(100))
    assert decoded["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["not"]["not"]
    with pytest.raises(ProtobufError, match="nested deeper"):
        protobuf.decode(_schema(50_000))


def test_objects_within_objects_nest_only_so_deep() -> None:
    data = pod(b"")
    for _ in range(200):
        revision = delimited(2, delimited(1, data))
        data = protobuf.wrap(revision, "apps/v1", "ControllerRevision")
    with pytest.raises(ProtobufError, match="nested deeper"):
        protobuf.decode(data)


def test_an_object_that_is_not_as_its_kind_should_be_is_not_written() -> None:
    odd: list[Object] = [{"replicas": "3"}, {"replicas": 2**40}, {"template": []}, {"selector": 7}]
    for spec in odd:
        with pytest.raises(ProtobufError, match="cannot be written"):
            protobuf.encode({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec})
