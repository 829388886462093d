"""Stored bytes, served bytes."""

from __future__ import annotations

import json
import sys
import tracemalloc

import pytest

from wherry.apiserver.encoding import decode, encode_stored, serve, with_revision
from wherry.objects.meta import Object


def pod() -> Object:
    return {
        "spec": {"text": '{"metadata":{'},
        "metadata": {"name": "a", "resourceVersion": "7", "selfLink": "/x", "labels": {"é": "ü"}},
        "kind": "Pod",
        "apiVersion": "v1",
    }


def test_stored_bytes_begin_with_type_and_metadata_and_have_no_revision() -> None:
    obj = pod()
    stored = encode_stored(obj)
    assert stored.startswith(b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"')
    assert b"resourceVersion" not in stored
    assert b"selfLink" not in stored
    assert obj == pod(), "the object is left alone"


def test_stored_bytes_take_no_more_memory_than_they_are_long() -> None:
    obj = pod()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = [encode_stored(obj) for _ in range(100)]
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert held < sum(map(sys.getsizeof, kept)) + 100 * 100


def test_an_object_comes_back_with_the_revision_it_was_stored_at() -> None:
    expected = pod()
    del expected["metadata"]["selfLink"]
    expected["metadata"]["resourceVersion"] = "12"
    assert decode(serve(encode_stored(pod()), 12)) == expected


@pytest.mark.parametrize(
    "value",
    [
        b'{"apiVersion":"v1","kind":"Pod","metadata":{}}',
        b'{"apiVersion":"v1","kind":"Pod"}',
        b'{"apiVersion":"v1","kind":"Pod","metadata":null}',
        b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}',
        b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{}}',
        b'{"spec":{"metadata":{"name":"inner"}},"metadata":{"name":"a"},"kind":"Pod","apiVersion":"v1"}',
        b'{"apiVersion":"v1","kind":"Pod","metadata":{ "name":"a"}}',
        b'{ "apiVersion": "v1", "kind": "Pod", "metadata": {"resourceVersion": "3", "name": "a"} }\n',
        b'{"apiVersion":"\\"metadata\\":{","kind":"","metadata":{"name":"a"}}',
    ],
)
def test_serving_works_however_the_writer_arranged_the_keys(value: bytes) -> None:
    expected = json.loads(value)
    expected["metadata"] = {**(expected.get("metadata") or {}), "resourceVersion": "42"}
    served = serve(value, 42)
    assert json.loads(served) == expected
    assert served.count(b'"resourceVersion"') == 1
    expected["metadata"]["resourceVersion"] = "1234567"
    assert json.loads(with_revision(served, 1234567)) == expected


def test_revision_comes_first_in_the_metadata() -> None:
    served = serve(b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}', 5)
    assert served == b'{"apiVersion":"v1","kind":"Pod","metadata":{"resourceVersion":"5","name":"a"}}'


@pytest.mark.parametrize("value", [b"", b"[]", b'"x"', b"{", b"\x00\x01k8s"])
def test_what_is_no_object_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError):
        serve(value, 1)
    with pytest.raises(ValueError):
        decode(value)
