"""Event: something that happened to an object, kept for an hour.

Two generations of reporters write events: the old ones fill `firstTimestamp`, `count` and `source`, the
new ones `eventTime`, `series` and `reportingController`. Rows and rules take both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import NAME
from wherry.api.resource import Column, Resource, Strategy
from wherry.api.validation import PATH_SEGMENT, check_text, validate_object_meta, validate_object_meta_update
from wherry.objects.durations import UNKNOWN, age
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.meta import Object, name_of, namespace_of
from wherry.objects.names import qualified_name_errors

TTL_S = 3600
_SHORT_LIMIT_B = 128
_MESSAGE_LIMIT_B = 1024


class EventStrategy(Strategy):
    """Rules of events; `series` and the like change as the event repeats."""

    creates_on_update = True

    def default(self, obj: Object) -> None:
        """An event is Normal unless it says Warning; a source and a reporter are the same thing."""
        source = obj.get("source") or {}
        if not obj.get("reportingComponent") and source.get("component"):
            obj["reportingComponent"] = source["component"]
            if source.get("host") and not obj.get("reportingInstance"):
                obj["reportingInstance"] = source["host"]

    def prepare(self, new: Object, old: Object | None) -> None:
        """Nothing to drop: an event has no status."""

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        """Metadata, and that the event lies in the namespace of what it is about."""
        if old is None:
            errors = validate_object_meta(new, namespaced=True, name_rule=PATH_SEGMENT)
        else:
            errors = validate_object_meta_update(new, old)
        return errors + legacy_event_errors(new)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """Last Seen, Type, Reason, Object, and with `-o wide` the rest; see the columns."""
        return event_cells(obj, now)


def legacy_event_errors(event: Object) -> list[FieldError]:
    """What holds for a core event, and so for every event: it lies where its object does.

    Whoever fills `eventTime` is a reporter of the new kind, and must say more.
    """
    about = (event.get("involvedObject") or {}).get("namespace") or ""
    namespace, path = namespace_of(event), "involvedObject.namespace"
    mismatch = invalid_value(path, about, "does not match event.namespace")
    if not event.get("eventTime"):
        return [mismatch] if namespace != (about or "default") else []
    errors = [mismatch] if not about and namespace not in ("default", "kube-system") else []
    reporter = event.get("reportingComponent") or ""
    if not reporter:
        errors.append(required("reportingController"))
    errors += check_text("reportingController", reporter, qualified_name_errors)
    for name in ("reportingInstance", "action", "reason"):
        value = event.get(name) or ""
        if not value:
            errors.append(required(name))
        if len(value) > _SHORT_LIMIT_B:
            errors.append(invalid_value(name, "", f"can have at most {_SHORT_LIMIT_B} characters"))
    if len(event.get("message") or "") > _MESSAGE_LIMIT_B:
        errors.append(invalid_value("message", "", f"can have at most {_MESSAGE_LIMIT_B} characters"))
    return errors


def event_cells(event: Object, now: datetime) -> list[Any]:
    """The row of a core event."""
    about = event.get("involvedObject") or {}
    moment = event.get("eventTime")
    first = _since(event.get("firstTimestamp") or moment, now)
    last = _since(event.get("lastTimestamp"), now) if event.get("lastTimestamp") else first
    count = event.get("count") or 0
    series = event.get("series")
    if series:
        last, count = _since(series.get("lastObservedTime"), now), series.get("count") or 0
    kind = (about.get("kind") or "").lower()
    return [
        last,
        event.get("type") or "",
        event.get("reason") or "",
        f"{kind}/{about['name']}" if about.get("name") else kind,
        about.get("fieldPath") or "",
        _source(event),
        (event.get("message") or "").strip(),
        first,
        count or 1,
        name_of(event),
    ]


def _since(timestamp: str | None, now: datetime) -> str:
    return age(timestamp, now) if timestamp else UNKNOWN


def _source(event: Mapping[str, Any]) -> str:
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    host = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


EVENT_COLUMNS = (
    Column("Last Seen", description="When the event was seen last."),
    Column("Type", description="Normal or Warning."),
    Column("Reason", description="Why, in one word."),
    Column("Object", description="The object the event is about."),
    Column("Subobject", description="The part of the object the event is about.", priority=1),
    Column("Source", description="Who reports the event.", priority=1),
    Column("Message", description="What happened."),
    Column("First Seen", description="When the event was seen first.", priority=1),
    Column("Count", description="How often the event was seen.", priority=1),
    Column("Name", format="name", description=NAME.description, priority=1),
)


def _about(field: str) -> Callable[[Object], str]:
    return lambda obj: (obj.get("involvedObject") or {}).get(field) or ""


def _own(field: str) -> Callable[[Object], str]:
    return lambda obj: obj.get(field) or ""


def _source_name(obj: Object) -> str:
    found: str = (obj.get("source") or {}).get("component") or obj.get("reportingComponent") or ""
    return found


_ABOUT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

EVENTS = Resource(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    namespaced=True,
    short_names=("ev",),
    strategy=EventStrategy(),
    columns=EVENT_COLUMNS,
    selectable={
        **{f"involvedObject.{field}": _about(field) for field in _ABOUT},
        "reason": _own("reason"),
        "reportingComponent": _own("reportingComponent"),
        "source": _source_name,
        "type": _own("type"),
    },
    also_read={
        **{f"regarding.{field}": _about(field) for field in _ABOUT},
        "reportingController": _own("reportingComponent"),
    },
    schema="io.k8s.api.core.v1.Event",
    ttl_s=TTL_S,
)
