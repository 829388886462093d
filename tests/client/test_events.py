"""The recorder: what becomes one event, what is dropped, and that failures stay its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.client.fake_transport import FakeTransport
from wherry.client.api import Client
from wherry.client.correlation import COMBINED, Correlator
from wherry.client.events import NORMAL, QUEUE_LIMIT, WARNING, EventRecorder
from wherry.kit.clock import FakeClock, settle
from wherry.objects.errors import ApiError, service_unavailable
from wherry.objects.meta import Object

POD: Object = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {"name": "web-0", "namespace": "shop", "uid": "u1", "resourceVersion": "7"},
}


@pytest.fixture
def server() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def recorder(server: FakeTransport, clock: FakeClock) -> AsyncIterator[EventRecorder]:
    recorder = EventRecorder(Client(server), clock, "kubelet", "node-1")
    yield recorder
    await recorder.close()


def stored(server: FakeTransport) -> list[Object]:
    return list(server.objects.values())


async def test_an_event_carries_what_upstream_writes(server: FakeTransport, recorder: EventRecorder) -> None:
    recorder.event(POD, NORMAL, "Started", "Started container web", field_path="spec.containers{web}")
    await settle()
    (event,) = stored(server)
    assert event["metadata"]["name"].startswith("web-0.")
    assert event["metadata"]["namespace"] == "shop"
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "shop",
        "name": "web-0",
        "uid": "u1",
        "resourceVersion": "7",
        "fieldPath": "spec.containers{web}",
    }
    assert event["source"] == {"component": "kubelet", "host": "node-1"}
    assert (event["type"], event["reason"], event["count"]) == ("Normal", "Started", 1)
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-01T00:00:00Z"


async def test_a_cluster_object_gets_its_events_in_default(
    server: FakeTransport, recorder: EventRecorder
) -> None:
    recorder.event({"kind": "Node", "metadata": {"name": "n1"}}, NORMAL, "Starting", "x")
    await settle()
    assert stored(server)[0]["metadata"]["namespace"] == "default"


async def test_repetitions_raise_the_count(
    server: FakeTransport, recorder: EventRecorder, clock: FakeClock
) -> None:
    for _ in range(3):
        recorder.event(POD, WARNING, "BackOff", "Back-off restarting failed container")
        await clock.advance(10)
    (event,) = stored(server)
    assert event["count"] == 3
    assert event["firstTimestamp"] == "2026-01-01T00:00:00Z"
    assert event["lastTimestamp"] == "2026-01-01T00:00:20Z"


async def test_an_event_that_expired_is_created_again(server: FakeTransport, recorder: EventRecorder) -> None:
    recorder.event(POD, NORMAL, "Pulled", "x")
    await settle()
    server.objects.clear()
    recorder.event(POD, NORMAL, "Pulled", "x")
    await settle()
    assert [e["count"] for e in stored(server)] == [2]


async def test_a_busy_server_is_tried_again(
    server: FakeTransport, recorder: EventRecorder, clock: FakeClock
) -> None:
    server.fail(service_unavailable("starting"))
    recorder.event(POD, NORMAL, "Pulled", "x")
    await settle()
    assert stored(server) == []
    await clock.advance(5)
    assert len(stored(server)) == 1


async def test_a_refused_event_is_logged_and_lost(
    server: FakeTransport, recorder: EventRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    server.fail(ApiError(403, "Forbidden", "namespace is being terminated"))
    recorder.event(POD, NORMAL, "Pulled", "x")
    recorder.event(POD, NORMAL, "Created", "y")
    await settle()
    assert [e["reason"] for e in stored(server)] == ["Created"]
    assert "namespace is being terminated" in caplog.text


async def test_close_writes_what_waits(server: FakeTransport, recorder: EventRecorder) -> None:
    recorder.event(POD, NORMAL, "Killing", "Stopping container web")
    await recorder.close()
    assert len(stored(server)) == 1


async def test_close_does_not_wait_for_the_next_try(server: FakeTransport, recorder: EventRecorder) -> None:
    server.fail(*[service_unavailable("away")] * 2)
    recorder.event(POD, NORMAL, "Pulled", "x")
    await settle()
    await recorder.close()
    assert stored(server) == []


def event(reason: str, message: str) -> Object:
    return {
        "source": {"component": "c"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "type": "Normal",
        "reason": reason,
        "message": message,
    }


def test_one_subject_may_speak_25_times_then_every_five_minutes() -> None:
    correlator = Correlator()
    heard = [correlator.occur(event("R", "m"), 0.0) for _ in range(30)]
    assert sum(o is not None for o in heard) == 25
    assert correlator.occur(event("R", "m"), 299.0) is None
    assert correlator.occur(event("R", "m"), 301.0) is not None


def test_many_messages_of_one_reason_are_combined() -> None:
    correlator = Correlator()
    names = []
    for number in range(12):
        occurrence = correlator.occur(event("Failed", f"try {number}"), float(number))
        assert occurrence is not None
        names.append((occurrence.message, occurrence.count))
        correlator.written(occurrence, "e")
    assert names[8] == ("try 8", 1)
    assert names[9:] == [
        (COMBINED + "try 9", 1),
        (COMBINED + "try 10", 2),
        (COMBINED + "try 11", 3),
    ]


async def test_an_event_that_breaks_the_writer_costs_no_other(
    server: FakeTransport, recorder: EventRecorder
) -> None:
    server.fail(RuntimeError("broken"))
    recorder.event(POD, NORMAL, "Pulled", "x")
    recorder.event(POD, NORMAL, "Created", "y")
    await settle()
    recorder.event(POD, NORMAL, "Started", "z")
    await settle()
    assert [e["reason"] for e in stored(server)] == ["Created", "Started"]


async def test_a_burst_of_drops_is_one_line_a_second(
    server: FakeTransport, recorder: EventRecorder, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(QUEUE_LIMIT + 500):
        recorder.event(POD, NORMAL, "Pulled", "x")
    assert caplog.text.count("too many events wait, 1 dropped") == 1
    assert len(caplog.records) == 1
    clock_before = clock.monotonic()
    await clock.advance(1)
    assert clock.monotonic() == clock_before + 1
    for _ in range(QUEUE_LIMIT + 1):
        recorder.event(POD, NORMAL, "Pulled", "x")
    assert "500 dropped" in caplog.text


async def test_two_components_may_speak_in_the_same_nanosecond(
    server: FakeTransport, clock: FakeClock
) -> None:
    recorders = [EventRecorder(Client(server), clock, component) for component in ("scheduler", "kubelet")]
    for recorder in recorders:
        recorder.event(POD, NORMAL, "Happened", "something happened")
    await settle()
    assert {event["source"]["component"] for event in stored(server)} == {"scheduler", "kubelet"}
    for recorder in recorders:
        await recorder.close()
