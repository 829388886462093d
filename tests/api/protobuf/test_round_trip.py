"""Every built-in kind survives its protobuf form."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.protobuf.building import build
from wherry.api import protobuf
from wherry.api.catalog import BUILTIN
from wherry.api.protobuf.counting import containers
from wherry.api.resource import Resource
from wherry.api.schema import definition

ALL = pytest.mark.parametrize("resource", BUILTIN, ids=lambda r: f"{r.group or 'core'}-{r.version}-{r.kind}")
STORED = [resource for resource in BUILTIN if "list" in resource.verbs]


@ALL
def test_an_object_with_every_field_comes_back(resource: Resource) -> None:
    obj = build(resource, Random(7), 1.0)
    assert protobuf.decode(protobuf.encode(obj)) == obj


@ALL
def test_lists_and_maps_are_counted_as_they_come_to_be(resource: Resource) -> None:
    obj = build(resource, Random(7), 1.0)
    assert containers(protobuf.encode(obj), 10_000) == in_all(obj)


def in_all(value: Any) -> int:
    """How many lists and maps there are in a value, itself included."""
    if isinstance(value, dict):
        return 1 + sum(map(in_all, value.values()))
    return 1 + sum(map(in_all, value)) if isinstance(value, list) else 0


@given(
    resource=st.sampled_from(BUILTIN), seed=st.integers(0, 2**32), density=st.sampled_from([0.1, 0.4, 0.8])
)
@settings(max_examples=150, deadline=None, database=None)
def test_an_object_with_some_fields_comes_back(resource: Resource, seed: int, density: float) -> None:
    obj = build(resource, Random(seed), density)
    assert protobuf.decode(protobuf.encode(obj)) == obj


@ALL
def test_every_field_of_the_schema_has_a_number(resource: Resource) -> None:
    from wherry.api.protobuf.encode import encoder
    from wherry.api.protobuf.messages import message_of

    known = encoder(message_of(resource.api_version, resource.kind)).puts()
    assert set(definition(resource.schema).fields()) - {"apiVersion", "kind"} <= set(known)


@pytest.mark.parametrize("resource", STORED, ids=lambda r: r.plural)
def test_a_list_is_joined_from_messages_encoded_before(resource: Resource) -> None:
    items = [build(resource, Random(seed), 0.3) for seed in range(3)]
    meta = {"resourceVersion": "7", "continue": "token", "remainingItemCount": 5}
    messages = [protobuf.encode_message(item) for item in items]
    data = b"".join(
        protobuf.list_pieces(
            resource.api_version, resource.list_kind, meta, [*map(len, messages)], messages, lambda: 1 << 20
        )
    )
    for item in items:
        del item["apiVersion"], item["kind"]
    expected = {
        "apiVersion": resource.api_version,
        "kind": resource.list_kind,
        "metadata": meta,
        "items": items,
    }
    assert protobuf.decode(data) == expected
    assert protobuf.decode(protobuf.encode(expected)) == expected
