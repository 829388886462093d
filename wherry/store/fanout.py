"""Hands committed events to everyone who watches: by prefix, in order, each batch once.

Looking a key up costs one dict access per distinct prefix length, however many watch. A watch that
still reads its past is held: what happens meanwhile waits in it, so nothing is lost or seen twice.
A sink that raises has missed something: its watch is over, and whoever opened it is told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from wherry.store.base import Event, Sink

log = logging.getLogger(__name__)


class Watch:
    """One sink below one prefix; implements `base.Subscription`."""

    __slots__ = ("_fanout", "_held", "_lost", "_open", "_sink", "prefix")

    def __init__(
        self, fanout: Fanout, prefix: str, sink: Sink, held: bool, lost: Callable[[], None] | None
    ) -> None:
        self._fanout = fanout
        self._sink = sink
        self._lost = lost
        self._held: list[Event] | None = [] if held else None
        self._open = True
        self.prefix = prefix

    def deliver(self, events: Sequence[Event]) -> None:
        """Hand over `events`, or keep them while the watch is held."""
        if not self._open or not events:
            return
        if self._held is not None:
            self._held.extend(events)
            return
        try:
            self._sink(events)
        except Exception:
            log.exception("a watcher of %s failed over %d events: its watch ends", self.prefix, len(events))
            self.close()
            if self._lost is not None:
                self._lost()

    def release(self, past: Sequence[Event]) -> None:
        """Hand over the `past`, then what happened while held; from now on live."""
        held, self._held = self._held or [], None
        self.deliver(past)
        self.deliver(held)

    def close(self) -> None:
        """Deliver nothing more."""
        if self._open:
            self._open = False
            self._held = None
            self._fanout.remove(self)


class Fanout:
    """All watches of one store."""

    def __init__(self) -> None:
        self._watches: dict[str, list[Watch]] = {}
        self._lengths: list[int] = []

    def add(
        self, prefix: str, sink: Sink, *, held: bool = False, lost: Callable[[], None] | None = None
    ) -> Watch:
        """Watch `prefix` from now on; a `held` watch delivers only after `release`.

        `lost` is called when `sink` raised and the watch was closed for it.
        """
        watch = Watch(self, prefix, sink, held, lost)
        self._watches.setdefault(prefix, []).append(watch)
        self._note_lengths()
        return watch

    def remove(self, watch: Watch) -> None:
        """Forget a watch; `Watch.close` calls this."""
        watches = self._watches.get(watch.prefix, [])
        if watch in watches:
            watches.remove(watch)
        if not watches:
            self._watches.pop(watch.prefix, None)
            self._note_lengths()

    def publish(self, events: Sequence[Event]) -> None:
        """Hand `events`, which are in revision order, to every watch they concern."""
        concerned: dict[str, list[Event]] = {}
        for event in events:
            key = event.entry.key
            size = len(key)
            for length in self._lengths:
                if length > size:
                    break
                prefix = key[:length]
                if prefix in self._watches:
                    concerned.setdefault(prefix, []).append(event)
        for prefix, batch in concerned.items():
            for watch in tuple(self._watches.get(prefix, ())):
                watch.deliver(batch)

    def close(self) -> None:
        """End every watch."""
        for watches in list(self._watches.values()):
            for watch in tuple(watches):
                watch.close()

    def _note_lengths(self) -> None:
        self._lengths = sorted({len(prefix) for prefix in self._watches})
