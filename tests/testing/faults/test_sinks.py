"""What a client's own sink is told once a fault ended its watch: that, and nothing after it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.apiserver.test_watchers import event
from wherry.apiserver.cacher import Cached, CachedEvent
from wherry.apiserver.call import Call
from wherry.apiserver.request import request_info
from wherry.apiserver.user import ANONYMOUS
from wherry.apiserver.watcher import Making
from wherry.kit.clock import FakeClock
from wherry.objects.meta import Object
from wherry.testing.faults.fault import Fault, What
from wherry.testing.faults.sinks import WatchSink

EXPIRES = ["ERROR", "end"]


class Told:
    """A client's sink that writes down what it is told."""

    bookmark_every_s = 60.0

    def __init__(self) -> None:
        self.said: list[str] = []

    def events(self, events: Sequence[CachedEvent]) -> int | None:
        self.said += [one.type for one in events]
        return None

    def makings(self, events: Sequence[CachedEvent]) -> Making | None:
        return None

    def control(self, event_type: str, obj: Object) -> None:
        self.said.append(event_type)

    async def initial(self, items: Sequence[Cached]) -> None:
        self.said += ["initial"] * len(items)

    def end(self) -> None:
        self.said.append("end")

    async def wait(self, timeout_s: float) -> bool:
        return True


@pytest.mark.parametrize(
    ("what", "events", "said"),
    [
        (What.CUT, 0, ["end"]),
        (What.CUT, 2, ["ADDED", "ADDED", "end"]),
        (What.EXPIRED, 0, EXPIRES),
        (What.EXPIRED, 2, ["ADDED", "ADDED", *EXPIRES]),
    ],
)
def test_a_watch_ends_once(what: What, events: int, said: list[str]) -> None:
    told = Told()
    sink = WatchSink(
        told, Call(request_info("GET", "/api/v1/pods", {"watch": "1"}), ANONYMOUS, {}), FakeClock()
    )
    fault = Fault(what=what, verbs=("watch",), resource="pods", events=events)
    sink.take(fault)
    for _ in range(3):
        sink.events([event({}), event({})])
    sink.control("BOOKMARK", {})
    sink.take(fault)
    assert told.said == said
    sink.release()
    sink.events([event({})])
    assert told.said == said


async def test_a_watch_that_lags_for_a_while_catches_up_and_lags_again() -> None:
    told, clock = Told(), FakeClock()
    sink = WatchSink(told, Call(request_info("GET", "/api/v1/pods", {"watch": "1"}), ANONYMOUS, {}), clock)
    sink.take(Fault(what=What.STALE, verbs=("watch",), resource="pods", events=1, lasts_s=10))
    for _ in range(2):
        told.said.clear()
        sink.events([event({}), event({})])
        await clock.advance(9)
        assert told.said == ["ADDED"]
        await clock.advance(1)
        assert told.said == ["ADDED", "ADDED"]
    sink.events([event({})])
    sink.close()
    await clock.advance(10)
    assert told.said == ["ADDED", "ADDED"], "nobody is told after the end"
