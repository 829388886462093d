"""Who gets which events, in which order."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.store.base import Entry, Event
from wherry.store.fanout import Fanout


def event(key: str, revision: int) -> Event:
    return Event(Entry(key, b"", revision, revision), None)


class Heard:
    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __call__(self, events: Sequence[Event]) -> None:
        self.batches.append([item.entry.revision for item in events])


def test_a_batch_arrives_once_and_only_what_lies_below_the_prefix() -> None:
    fanout = Fanout()
    everything, pods, one, other = Heard(), Heard(), Heard(), Heard()
    for prefix, heard in (("", everything), ("/pods/", pods), ("/pods/a", one), ("/nodes/", other)):
        fanout.add(prefix, heard)
    fanout.publish([event("/pods/a", 2), event("/pods/b", 3), event("/x", 4)])
    assert everything.batches == [[2, 3, 4]]
    assert pods.batches == [[2, 3]]
    assert one.batches == [[2]]
    assert other.batches == []


def test_a_key_shorter_than_a_prefix_is_not_delivered_twice() -> None:
    fanout = Fanout()
    short, long = Heard(), Heard()
    fanout.add("/a", short)
    fanout.add("/a/longer", long)
    fanout.publish([event("/a", 2)])
    assert (short.batches, long.batches) == ([[2]], [])


def test_a_held_watch_keeps_what_happens_until_its_past_was_delivered() -> None:
    fanout = Fanout()
    heard = Heard()
    watch = fanout.add("/", heard, held=True)
    fanout.publish([event("/a", 5)])
    assert heard.batches == []
    watch.release([event("/a", 4)])
    fanout.publish([event("/a", 6)])
    assert heard.batches == [[4], [5], [6]]


def test_closed_watches_hear_nothing_even_in_the_middle_of_a_batch() -> None:
    fanout = Fanout()
    heard = Heard()
    fanout.add("/", lambda events: watch.close())
    watch = fanout.add("/", heard)
    fanout.publish([event("/a", 2)])
    watch.close()
    fanout.close()
    fanout.publish([event("/a", 3)])
    assert heard.batches == []


def test_a_sink_that_raises_is_closed_and_told_and_harms_nobody() -> None:
    fanout = Fanout()
    heard, lost = Heard(), list[str]()

    def fail(events: Sequence[Event]) -> None:
        raise RuntimeError(str(events))

    fanout.add("/", fail, lost=lambda: lost.append("watch"))
    fanout.add("/", fail)
    fanout.add("/", heard)
    fanout.publish([event("/a", 2)])
    fanout.publish([event("/a", 3)])
    assert heard.batches == [[2], [3]]
    assert lost == ["watch"]
