"""containerd's own event stream, reduced to what the kubelet wants to hear.

containerd 1.6 does not serve CRI's GetContainerEvents, but its event service lies on the same
socket. Its messages are few and small, so they are read by hand (`wire_fields`) rather than through
generated code for containerd's whole API.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SUBSCRIBE = "/containerd.services.events.v1.Events/Subscribe"
FILTER = 'namespace==k8s.io,topic~="^/tasks/(start|exit|oom)$|^/containers/delete$"'

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class MalformedMessage(Exception):
    """Bytes that are not a protobuf message."""


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """What happened to the container (or sandbox) `container_id`.

    `topic` is containerd's: /tasks/start, /tasks/exit, /tasks/oom, /containers/delete. `process`
    is set when it happened to a process run inside, not to the container itself.
    """

    topic: str
    container_id: str
    process: str = ""


def subscribe_request(expression: str = FILTER) -> bytes:
    """A SubscribeRequest with one filter."""
    text = expression.encode()
    return b"\x0a" + _varint(len(text)) + text


def parse_envelope(data: bytes) -> TaskEvent:
    """The event in an Envelope{timestamp 1, namespace 2, topic 3, event Any{type 1, value 2} 4}.

    Raises MalformedMessage.
    """
    envelope = _texts(data)
    topic = envelope.get(3, b"").decode()
    value = _texts(envelope.get(4, b"")).get(2, b"")
    event = _texts(value)
    # The container's id is field 1 in all four messages; TaskExit has the process' id as field 2,
    # the same as the container's when it is the container that ended.
    container_id = event.get(1, b"").decode()
    process = event.get(2, b"").decode() if topic == "/tasks/exit" else ""
    return TaskEvent(topic, container_id, "" if process == container_id else process)


def wire_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: number and value. Raises MalformedMessage."""
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            integer, position = _read_varint(data, position)
            yield number, integer
            continue
        if kind == _BYTES:
            length, position = _read_varint(data, position)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise MalformedMessage(f"unknown wire type {kind}")
        if position + length > len(data):
            raise MalformedMessage("field runs past the message's end")
        yield number, data[position : position + length]
        position += length


def _texts(data: bytes) -> dict[int, bytes]:
    return {number: value for number, value in wire_fields(data) if isinstance(value, bytes)}


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise MalformedMessage("unfinished number")
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if not byte & 0x80:
            return value, position


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
