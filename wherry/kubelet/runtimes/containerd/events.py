"""containerd's own event stream, reduced to what the kubelet wants to hear.

containerd 1.6 does not serve CRI's GetContainerEvents, but its event service lies on the same
socket. Its messages are few and small, so they are read by hand rather than through
generated code for containerd's whole API (`wire`).
"""

from __future__ import annotations

from dataclasses import dataclass

from wherry.kubelet.runtimes.containerd.wire import text_field, texts_of

SUBSCRIBE = "/containerd.services.events.v1.Events/Subscribe"
FILTER = 'namespace==k8s.io,topic~="^/tasks/(start|exit|oom)$|^/containers/delete$"'


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
    return text_field(1, expression)


def parse_envelope(data: bytes) -> TaskEvent:
    """The event in an Envelope{timestamp 1, namespace 2, topic 3, event Any{type 1, value 2} 4}.

    Raises MalformedMessage.
    """
    envelope = texts_of(data)
    topic = envelope.get(3, b"").decode()
    value = texts_of(envelope.get(4, b"")).get(2, b"")
    event = texts_of(value)
    # The container's id is field 1 in all four messages; TaskExit has the process' id as field 2,
    # the same as the container's when it is the container that ended.
    container_id = event.get(1, b"").decode()
    process = event.get(2, b"").decode() if topic == "/tasks/exit" else ""
    return TaskEvent(topic, container_id, "" if process == container_id else process)
