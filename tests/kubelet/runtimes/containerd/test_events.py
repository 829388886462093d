"""containerd's event messages, byte by byte."""

from __future__ import annotations

import pytest

from wherry.kubelet.runtimes.containerd.events import (
    FILTER,
    TaskEvent,
    parse_envelope,
    subscribe_request,
)
from wherry.kubelet.runtimes.containerd.wire import MalformedMessage, wire_fields


def field(number: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes((number << 3 | 2, len(data))) + data


def envelope(topic: str, event: bytes) -> bytes:
    packed = field(1, b"type.url") + field(2, event)
    return field(1, b"\x08\x01") + field(2, b"k8s.io") + field(3, topic.encode()) + field(4, packed)


@pytest.mark.parametrize(
    ("topic", "event", "expected"),
    [
        ("/tasks/start", field(1, b"c1") + b"\x10\x2a", TaskEvent("/tasks/start", "c1")),
        ("/tasks/exit", field(1, b"c1") + field(2, b"c1") + b"\x18\x2a", TaskEvent("/tasks/exit", "c1")),
        ("/tasks/exit", field(1, b"c1") + field(2, b"probe"), TaskEvent("/tasks/exit", "c1", "probe")),
        ("/tasks/oom", field(1, b"c1"), TaskEvent("/tasks/oom", "c1")),
        ("/containers/delete", field(1, b"c1"), TaskEvent("/containers/delete", "c1")),
    ],
)
def test_events(topic: str, event: bytes, expected: TaskEvent) -> None:
    assert parse_envelope(envelope(topic, event)) == expected


def test_the_subscription_carries_the_filter() -> None:
    ((number, value),) = wire_fields(subscribe_request("x" * 300))
    assert (number, value) == (1, b"x" * 300)
    assert FILTER.encode() in subscribe_request()


def test_wire_types() -> None:
    data = b"\x08\x96\x01" + b"\x11" + bytes(8) + b"\x1d" + bytes(4) + field(4, b"x")
    assert list(wire_fields(data)) == [(1, 150), (2, bytes(8)), (3, bytes(4)), (4, b"x")]


@pytest.mark.parametrize("data", [b"\x08", b"\x0a\x05ab", b"\x0b", b"\x08" + b"\xff" * 11])
def test_damaged_messages(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        list(wire_fields(data))
