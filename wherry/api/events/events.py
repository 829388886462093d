"""Event in the form of its own group; stored as the core Event.

The two differ in names: `regarding` is `involvedObject`, `note` is `message`, `reportingController` is
`reportingComponent`, and what only old reporters fill is called `deprecated...` here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from wherry.api.core.events import EVENT_COLUMNS, TTL_S, event_cells
from wherry.api.resource import Resource, Strategy
from wherry.api.validation import validate_object_meta, validate_object_meta_update
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.meta import Object, namespace_of

_RENAMED = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_BACK = {core: ours for ours, core in _RENAMED.items()}
_NOTE_LIMIT_B = 1024
_SHORT_LIMIT_B = 128


def to_core(event: Object) -> Object:
    """The core Event that says the same."""
    return {**{_RENAMED.get(name, name): value for name, value in event.items()}, "apiVersion": "v1"}


def from_core(event: Object) -> Object:
    """The `events.k8s.io` Event that says the same as a core one."""
    renamed = {_BACK.get(name, name): value for name, value in event.items()}
    return {**renamed, "apiVersion": "events.k8s.io/v1"}


class GroupEventStrategy(Strategy):
    """Rules of `events.k8s.io`, stricter than the core's: who reports, what and why must be told."""

    creates_on_update = True

    def prepare(self, new: Object, old: Object | None) -> None:
        """Nothing to drop: an event has no status."""

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        """Metadata; a new event tells time, reporter, action, reason and type."""
        if old is not None:
            return validate_object_meta_update(new, old)
        errors = validate_object_meta(new, namespaced=True)
        about = (new.get("regarding") or {}).get("namespace") or ""
        if about and about != namespace_of(new):
            errors.append(invalid_value("involvedObject.namespace", about, "does not match event.namespace"))
        names = ("eventTime", "reportingController", "reportingInstance", "action", "reason")
        errors += [required(name) for name in names if not new.get(name)]
        for name in ("reportingInstance", "action", "reason"):
            if len(new.get(name) or "") > _SHORT_LIMIT_B:
                errors.append(invalid_value(name, "", f"can have at most {_SHORT_LIMIT_B} characters"))
        if len(new.get("note") or "") > _NOTE_LIMIT_B:
            errors.append(invalid_value("message", "", f"can have at most {_NOTE_LIMIT_B} characters"))
        if new.get("type") not in ("Normal", "Warning"):
            errors.append(invalid_value("type", "", "has invalid value: " + (new.get("type") or "")))
        return errors

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """The same row as the core event's."""
        return event_cells(to_core(obj), now)


def _about(field: str) -> Callable[[Object], str]:
    # Selectors are asked of stored objects as well as of served ones.
    return lambda obj: (obj.get("regarding") or obj.get("involvedObject") or {}).get(field) or ""


def _own(field: str) -> Callable[[Object], str]:
    return lambda obj: obj.get(field) or obj.get(_RENAMED.get(field, field)) or ""


_ABOUT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

EVENTS = Resource(
    group="events.k8s.io",
    version="v1",
    kind="Event",
    plural="events",
    namespaced=True,
    short_names=("ev",),
    strategy=GroupEventStrategy(),
    columns=EVENT_COLUMNS,
    selectable={
        **{f"regarding.{field}": _about(field) for field in _ABOUT},
        "reason": _own("reason"),
        "reportingController": _own("reportingController"),
        "type": _own("type"),
    },
    schema="io.k8s.api.events.v1.Event",
    storage_version=("", "v1"),
    to_storage=to_core,
    from_storage=from_core,
    ttl_s=TTL_S,
)
