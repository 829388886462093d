"""A resource as it was: pages of an earlier moment, and changes told again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice

from wherry.apiserver.cached import Cached, CachedEvent, Match
from wherry.kit.portions import Work, others
from wherry.store.base import Entry, Event

Overlay = Mapping[str, Cached | None]
"""What objects were that are something else now, by key; None for one that was not there."""
MATCHED_AT_ONCE = 2000
"""How many objects are held against a selector between two turns of the event loop."""


def items_then(
    objects: Mapping[str, Cached], keys: Sequence[str], span: tuple[int, int], overlay: Overlay
) -> Iterator[Cached]:
    """The objects there were when what `overlay` tells was so, in order.

    `span` is the part of the sorted `keys` of `objects` that is asked for; of `overlay` all is.
    """
    present = (keys[place] for place in range(*span))
    gone = _gone(objects, overlay)
    for key in merge(present, gone) if gone else present:
        item = overlay[key] if key in overlay else objects[key]
        if item is not None:
            yield item


def page_then(
    objects: Mapping[str, Cached], keys: Sequence[str], span: tuple[int, int], overlay: Overlay, limit: int
) -> tuple[list[Cached], int]:
    """The page `Cacher.list` would have given then, and how many follow; see `items_then`."""
    low, high = span
    gone = _gone(objects, overlay)
    came = sum(was is None and key in objects for key, was in overlay.items())
    found = list(islice(items_then(objects, keys, span, overlay), limit or None))
    return found, high - low - came + len(gone) - len(found)


def _gone(objects: Mapping[str, Cached], overlay: Overlay) -> list[str]:
    return sorted(key for key, was in overlay.items() if was is not None and key not in objects)


async def matching(items: Iterator[Cached], match: Match, limit: int) -> tuple[list[Cached], int]:
    """At most `limit` of the items that match (0: all), and whether more do (0 or 1).

    Others have their turn while `match` is asked. The items are those of this moment: they are all taken
    before anybody else's turn.
    """
    found = [item for item in islice(items, MATCHED_AT_ONCE) if match(item)]
    if not limit or len(found) <= limit:
        left = list(items)
        for start in range(0, len(left), MATCHED_AT_ONCE):
            await others(Work.REQUESTS)
            found += filter(match, left[start : start + MATCHED_AT_ONCE])
            if limit and len(found) > limit:
                break
    if limit and len(found) > limit:
        return found[:limit], 1
    return found, 0


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
