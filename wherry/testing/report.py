"""What stands in a cluster, in lines for people: said when a wait was in vain, and when a test failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from wherry.api.core.events import EVENTS
from wherry.objects.meta import Object, is_deleting, name_of, namespace_of
from wherry.store.base import Entry
from wherry.testing.world import World

MOST_EVENTS = 10
MOST_CHANGES = 10
MOST_UNHEALTHY = 20
MOST_FIELDS = 6
EXPECTED_TRUE = ("Available", "Ready", "Established", "Initialized", "PodScheduled", "ContainersReady")
"""Conditions that are true where all is well."""
EXPECTED_FALSE = ("Failed", "Stalled", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
OF_THE_CLUSTER = "node.kubernetes.io/"
"""How the keys of taints begin that say how a node is; others say whom it is for."""
NOISE = ("/registry/events/", "/registry/leases/")
"""Changes nobody asks for when a test failed."""
_PREFIX = "/registry/"


class EventLine(NamedTuple):
    """One event."""

    time: str
    type: str
    reason: str
    object: str
    message: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.time} {self.type} {self.reason} {self.object}: {self.message}"


def event_lines(world: World) -> list[EventLine]:
    """All events, in the order they were written."""
    served = world.running.api.core.registry.of(EVENTS)
    if not served.source.is_ready:
        return []
    found = []
    for cached in served.cacher.list("")[0]:
        event = served.decode(cached)
        about = event.get("involvedObject") or {}
        line = EventLine(
            event.get("lastTimestamp") or event.get("eventTime") or "",
            event.get("type") or "",
            event.get("reason") or "",
            f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}",
            event.get("message") or "",
            about.get("namespace") or "",
        )
        found.append((cached.revision, line))
    return [line for _, line in sorted(found, key=lambda pair: pair[0])]


def describe(world: World, obj: Object) -> str:
    """An object's conditions, and the latest events about it and what it owns."""
    conditions = list(_conditions(obj))
    lines = [
        f"  {c.get('type')}={c.get('status')} {c.get('reason', '')}: {c.get('message', '')}"
        for c in conditions
    ]
    name = name_of(obj)
    events = [line for line in event_lines(world) if line.object.partition("/")[2].startswith(name)]
    return "\n".join([*(lines or ["  no conditions"]), *(f"  {line}" for line in events[-MOST_EVENTS:])])


def failure_report(world: World) -> str:
    """For a test that failed: what is not well, the latest events, and what changed last.

    What the cluster's own start made is no change.
    """
    image = world.store.image()
    events = event_lines(world)
    unhealthy = list(unhealthy_lines(image.current.values(), latest_warnings(events)))
    changes = [
        change_line(event.entry, event.previous, deleted=event.deleted)
        for event in image.log
        if event.entry.revision > world.begun and not event.entry.key.startswith(NOISE)
    ]
    parts = (
        ("Not well", unhealthy[:MOST_UNHEALTHY]),
        ("Latest events", [str(line) for line in events[-MOST_EVENTS:]]),
        ("Changed last", changes[-MOST_CHANGES:]),
    )
    lines = [f"time in the cluster: {world.clock.now():%Y-%m-%dT%H:%M:%SZ}, seed {world.settings.seed}"]
    lines += _fault_lines(world)
    for title, found in parts:
        lines += [f"{title}:", *(f"  {line}" for line in found or ["(none)"])]
    return "\n".join(lines)


def _fault_lines(world: World) -> Iterator[str]:
    """Which faults the cluster's clients have to live with, if any were armed."""
    plan = world.faults
    if plan is None or not plan.met:
        return
    drawn = f" (c.faults.random of seed {', '.join(map(str, plan.seeds))})" if plan.seeds else ""
    yield f"Faults{drawn}:"
    for fault, met in plan.met:
        yield f"  {fault}: met {met} calls"


def latest_warnings(events: Sequence[EventLine]) -> dict[tuple[str, str, str], EventLine]:
    """The warnings that are the last word about their object, by its kind in lower case, namespace, name."""
    latest = {
        (line.object.partition("/")[0], line.namespace, line.object.partition("/")[2]): line
        for line in events
    }
    return {about: line for about, line in latest.items() if line.type == "Warning"}


def unhealthy_lines(
    entries: Sequence[Entry] | Any, warnings: Mapping[tuple[str, str, str], EventLine] = MappingProxyType({})
) -> Iterator[str]:
    """A line for each object that is not as its kind should be, or of which the last event is a warning."""
    for entry in entries:
        obj = orjson.loads(entry.value)
        complaints = list(_complaints(obj))
        warning = warnings.get((str(obj.get("kind")).lower(), namespace_of(obj), name_of(obj)))
        if warning is not None and not any(warning.message in complaint for complaint in complaints):
            complaints.append(f"{warning.reason}: {warning.message}")
        why = "; ".join(complaints)
        if why:
            yield f"{_shown(entry.key, obj)}: {why}"


def _complaints(obj: Object) -> Iterator[str]:
    if is_deleting(obj):
        finalizers = (obj.get("metadata") or {}).get("finalizers") or []
        yield "is being deleted" + (f", held by {', '.join(finalizers)}" if finalizers else "")
    if obj.get("kind") == "Node":
        spec = obj.get("spec") or {}
        yield from (
            f"tainted {taint['key']}:{taint['effect']}"
            for taint in spec.get("taints") or ()
            if taint["key"].startswith(OF_THE_CLUSTER)
        )
    status = obj.get("status")
    if not isinstance(status, dict):
        return
    if status.get("phase") in ("Failed", "Pending", "Unknown", "Lost"):
        yield f"phase {status['phase']}"
    is_done = status.get("phase") == "Succeeded"
    for condition in _conditions(obj):
        kind, value = condition.get("type"), condition.get("status")
        if (kind in EXPECTED_TRUE and value != "True" and not is_done) or (
            kind in EXPECTED_FALSE and value == "True"
        ):
            said = ": ".join(str(condition[part]) for part in ("reason", "message") if condition.get(part))
            yield f"{kind}={value} {said}".rstrip()


def _conditions(obj: Object) -> Iterator[Mapping[str, Any]]:
    found = (obj.get("status") or {}).get("conditions") if isinstance(obj.get("status"), dict) else None
    for condition in found or ():
        if isinstance(condition, dict):
            yield condition


def change_line(entry: Entry, previous: Entry | None, *, deleted: bool) -> str:
    """One write: which object, and which of its fields."""
    old = orjson.loads(previous.value) if previous is not None else None
    if deleted:
        return f"{entry.revision} deleted {_shown(entry.key, old or {})}"
    new = orjson.loads(entry.value)
    if old is None:
        return f"{entry.revision} created {_shown(entry.key, new)}"
    fields = list(_changed_fields(old, new, ""))
    more = f" and {len(fields) - MOST_FIELDS} more" if len(fields) > MOST_FIELDS else ""
    return f"{entry.revision} changed {_shown(entry.key, new)}: {', '.join(fields[:MOST_FIELDS])}{more}"


def _changed_fields(old: Any, new: Any, path: str) -> Iterator[str]:
    """The fields that differ, with what stands there now when it is short."""
    if path in (".metadata.managedFields", ".metadata.resourceVersion") or old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*new, *(name for name in old if name not in new)]:
            yield from _changed_fields(old.get(name), new.get(name), f"{path}.{name}")
        return
    shown = orjson.dumps(new).decode() if new is not None else "removed"
    yield f"{path}={shown}" if len(shown) <= 40 else path


def _shown(key: str, obj: Object) -> str:
    kind = str(obj.get("kind") or key.removeprefix(_PREFIX).partition("/")[0]).lower()
    namespace = namespace_of(obj) if obj else ""
    name = name_of(obj) if obj else key.rpartition("/")[2]
    return f"{kind} {namespace + '/' if namespace else ''}{name}"
