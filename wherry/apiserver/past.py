"""A resource as it was: pages of an earlier moment, and changes told again. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice

from wherry.apiserver.cached import Cached, CachedEvent, Match
from wherry.store.base import Entry, Event

Overlay = Mapping[str, Cached | None]
"""What objects were that are something else now, by key; None for one that was not there."""


def page_then(
    objects: Mapping[str, Cached],
    keys: Sequence[str],
    span: tuple[int, int],
    overlay: Overlay,
    limit: int,
    match: Match | None,
) -> tuple[list[Cached], int]:
    """The page `Cacher.list` would have given when what `overlay` tells was so.

    `span` is the part of the sorted `keys` of `objects` that is asked for; of `overlay` all is.
    """
    low, high = span
    gone = sorted(key for key, was in overlay.items() if was is not None and key not in objects)

    def items() -> Iterator[Cached]:
        present = (keys[place] for place in range(low, high))
        for key in merge(present, gone) if gone else present:
            item = overlay[key] if key in overlay else objects[key]
            if item is not None:
                yield item

    if match is not None:
        chosen = filter(match, items())
        if not limit:
            return list(chosen), 0
        found = list(islice(chosen, limit))
        return found, int(next(chosen, None) is not None)
    came = sum(was is None and key in objects for key, was in overlay.items())
    found = list(islice(items(), limit or None))
    return found, high - low - came + len(gone) - len(found)


def told_again(
    events: Iterable[Event], objects: Mapping[str, Cached], read: Callable[[Entry], Cached | None]
) -> Iterator[CachedEvent]:
    """Stored events as they were told when they happened; what `objects` holds already is shared.

    `read` makes an object of what is stored, None when nobody can read it. Each is made when it is taken, and
    `objects` may have changed until then.
    """
    known: dict[int, Cached] = {}

    def held(entry: Entry) -> Cached | None:
        item = known.get(entry.revision) or objects.get(entry.key)
        if item is None or item.revision != entry.revision:
            item = read(entry)
        if item is not None:
            known[entry.revision] = item
        return item

    for event in events:
        previous = None if event.previous is None else held(event.previous)
        current = None if event.deleted else held(event.entry)
        if current is not None:
            yield CachedEvent("MODIFIED" if previous else "ADDED", current, previous)
        elif previous is not None:
            yield CachedEvent("DELETED", previous.at(event.entry.revision), previous)
