# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `events` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import core, meta


class Event(TypedDict, total=False):
    action: str
    apiVersion: str
    deprecatedCount: int
    deprecatedFirstTimestamp: str
    deprecatedLastTimestamp: str
    deprecatedSource: core.EventSource
    eventTime: str
    kind: str
    metadata: meta.ObjectMeta
    note: str
    reason: str
    regarding: core.ObjectReference
    related: core.ObjectReference
    reportingController: str
    reportingInstance: str
    series: EventSeries
    type: str


class EventList(TypedDict, total=False):
    apiVersion: str
    items: list[Event]
    kind: str
    metadata: meta.ListMeta


class EventSeries(TypedDict, total=False):
    count: int
    lastObservedTime: str
