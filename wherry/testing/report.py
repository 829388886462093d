"""What stands in a cluster, in lines for people: said when a test's wait was in vain."""

from __future__ import annotations

from typing import NamedTuple

from wherry.api.core.events import EVENTS
from wherry.objects.meta import Object, name_of
from wherry.testing.world import World

MOST_EVENTS = 10


class EventLine(NamedTuple):
    """One event."""

    time: str
    type: str
    reason: str
    object: str
    message: str

    def __str__(self) -> str:
        return f"{self.time} {self.type} {self.reason} {self.object}: {self.message}"


def event_lines(world: World) -> list[EventLine]:
    """All events, oldest first."""
    registry = world.running.api.core.registry
    served = registry.of(EVENTS)
    if not served.source.is_ready:
        return []
    found: list[tuple[int, EventLine]] = []
    for cached in served.cacher.list("")[0]:
        event = served.decode(cached)
        about = event.get("involvedObject") or {}
        found.append(
            (
                cached.revision,
                EventLine(
                    event.get("lastTimestamp") or event.get("eventTime") or "",
                    event.get("type") or "",
                    event.get("reason") or "",
                    f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}",
                    event.get("message") or "",
                ),
            )
        )
    return [line for _, line in sorted(found, key=lambda pair: pair[0])]


def describe(world: World, obj: Object) -> str:
    """An object's conditions, and the latest events about it and what it owns."""
    lines = [
        f"  {condition.get('type')}={condition.get('status')} {condition.get('reason', '')}: "
        f"{condition.get('message', '')}"
        for condition in (obj.get("status") or {}).get("conditions") or ()
    ]
    name = name_of(obj)
    events = [line for line in event_lines(world) if line.object.partition("/")[2].startswith(name)]
    return "\n".join([*(lines or ["  no conditions"]), *(f"  {line}" for line in events[-MOST_EVENTS:])])
