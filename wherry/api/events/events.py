"""Event in the form of its own group; stored as the core Event.

The two differ in names: `regarding` is `involvedObject`, `note` is `message`, `reportingController` is
`reportingComponent`, and what only old reporters fill is called `deprecated...` here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from wherry.api.core.events import EVENT_COLUMNS, TTL_S, event_cells, legacy_event_errors
from wherry.api.resource import Resource, Strategy
from wherry.api.validation import validate_immutable, validate_object_meta, validate_object_meta_update
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.meta import Object

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
_FIXED = (
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "type",
    "eventTime",
    "action",
    "related",
    "reportingComponent",
    "reportingInstance",
)


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
        """What holds for core events, and more: a new event says all there is; then only its series moves.

        Fields are named as the core Event calls them, which is what upstream checks.
        """
        event = to_core(new)
        errors = legacy_event_errors(event)
        if old is None:
            return errors + validate_object_meta(new, namespaced=True) + _new_errors(event)
        before = to_core(old)
        errors += validate_object_meta_update(new, old)
        if event.get("series") != before.get("series"):
            errors += _series_errors(event)
        for name in _FIXED:
            shown = "reportingController" if name == "reportingComponent" else name
            errors += validate_immutable(shown, event.get(name), before.get(name))
        return errors

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """The same row as the core event's."""
        return event_cells(to_core(obj), now)


def _new_errors(event: Object) -> list[FieldError]:
    errors = _series_errors(event)
    if not event.get("eventTime"):
        errors.append(required("eventTime"))
    kind = event.get("type") or ""
    if kind not in ("Normal", "Warning"):
        errors.append(invalid_value("type", "", f"has invalid value: {kind}"))
    return errors + [
        invalid_value(name, "", "needs to be unset")
        for name in ("firstTimestamp", "lastTimestamp", "count", "source")
        if event.get(name)
    ]


def _series_errors(event: Object) -> list[FieldError]:
    series = event.get("series")
    if series is None:
        return []
    errors: list[FieldError] = []
    if (series.get("count") or 0) < 2:
        errors.append(invalid_value("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        errors.append(required("series.lastObservedTime"))
    return errors


def _about(field: str) -> Callable[[Object], str]:
    return lambda obj: (obj.get("regarding") or {}).get(field) or ""


def _own(field: str) -> Callable[[Object], str]:
    return lambda obj: obj.get(field) or ""


def _source_name(obj: Object) -> str:
    found: str = (obj.get("deprecatedSource") or {}).get("component") or obj.get("reportingController") or ""
    return found


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
        "source": _source_name,
        "type": _own("type"),
    },
    schema="io.k8s.api.events.v1.Event",
    storage_version=("", "v1"),
    to_storage=to_core,
    from_storage=from_core,
    ttl_s=TTL_S,
)
