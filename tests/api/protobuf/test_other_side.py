"""What we write, the `protobuf` package reads; what it writes, we read."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.protobuf import other_side
from tests.api.protobuf.building import build
from wherry.api import protobuf
from wherry.api.catalog import BUILTIN
from wherry.api.resource import Resource

# A CustomResourceDefinition's unions would only be written a second time in the same way.
KINDS = [resource for resource in BUILTIN if resource.kind != "CustomResourceDefinition"]
IDS = [f"{resource.group or 'core'}-{resource.version}-{resource.kind}" for resource in KINDS]


@pytest.mark.parametrize("resource", KINDS, ids=IDS)
def test_both_sides_agree_on_every_field(resource: Resource) -> None:
    obj = build(resource, Random(3), 1.0)
    assert other_side.read(protobuf.encode(obj)) == obj
    assert protobuf.decode(other_side.write(obj)) == obj


@given(resource=st.sampled_from(KINDS), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, database=None)
def test_both_sides_agree_on_some_fields(resource: Resource, seed: int) -> None:
    obj = build(resource, Random(seed), 0.3)
    assert other_side.read(protobuf.encode(obj)) == obj
    assert protobuf.decode(other_side.write(obj)) == obj


def test_a_watch_frame_is_a_length_and_a_watch_event() -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}
    frame = protobuf.encode_watch_frame("ADDED", protobuf.encode(obj))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    event = other_side.message_class(other_side.WATCH_EVENT).FromString(frame[4:])
    assert event.f1 == "ADDED"
    assert other_side.read(event.f2.f1) == obj
