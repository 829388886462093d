"""The event recorder: components say what happened, users read it with `kubectl describe`.

Saying costs the speaker nothing: the event goes into a bounded queue and one task writes it.
Repetitions become a higher count on the same Event (see `correlation`). Events are a courtesy: one
that cannot be written is logged and lost, never a reason for a component to fail.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Protocol

from wherry.api.core.events import EVENTS
from wherry.client.api import Client
from wherry.client.correlation import Correlator, Occurrence
from wherry.kit.clock import Clock
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time, key_of, object_reference

log = logging.getLogger(__name__)

NORMAL = "Normal"
WARNING = "Warning"

QUEUE_LIMIT = 1000
NAMES_TRIED = 10
TRIES = 4
RETRY_S = 1.0
MESSAGE_LIMIT = 1024
DROP_SILENCE_S = 1.0
"""Dropped events are told of in one line, and in no other for so long."""


class Recorder(Protocol):
    """What says that something happened (see `EventRecorder`)."""

    def event(
        self,
        obj: Object,
        event_type: str,
        reason: str,
        message: str,
        *,
        field_path: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> None: ...


class EventLog:
    """Writes events into the log alone, where there is no API server."""

    def event(
        self,
        obj: Object,
        event_type: str,
        reason: str,
        message: str,
        *,
        field_path: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """See `EventRecorder.event`."""
        log.info("%s %s %s: %s", event_type, key_of(obj), reason, message)

    async def close(self) -> None:
        """Nothing waits."""


class EventRecorder:
    """Writes core/v1 Events as `component` (on `host`, for what runs on a node)."""

    def __init__(self, client: Client, clock: Clock, component: str, host: str = "") -> None:
        self._client = client
        self._clock = clock
        self._source = {"component": component, **({"host": host} if host else {})}
        self._correlator = Correlator()
        self._queue: deque[Object] = deque()
        self._resume = asyncio.Event()
        self._tasks = Tasks(f"events of {component}")
        self._writer: asyncio.Task[None] | None = None
        self._closing = False
        self._last_stamp = 0
        self._dropped = 0
        self._drop_told_at = -DROP_SILENCE_S

    def event(
        self,
        obj: Object,
        event_type: str,
        reason: str,
        message: str,
        *,
        field_path: str = "",
        annotations: Mapping[str, str] | None = None,
        action: str = "",
    ) -> None:
        """Say that `reason` happened to `obj`; returns at once.

        `event_type` is Normal or Warning, `reason` one CamelCase word, `field_path` the part meant
        (`spec.containers{web}`), `annotations` what programs may read, `action` what was being
        done. When too many wait already, the event is dropped (and counted in the log).
        """
        if self._closing:
            log.info("event after the end, dropped: %s %s: %s", key_of(obj), reason, message)
            return
        if len(self._queue) >= QUEUE_LIMIT:
            self._drop(obj, reason, message)
            return
        event = self._render(obj, event_type, reason, message, field_path)
        if annotations:
            event["metadata"]["annotations"] = dict(annotations)
        if action:
            event["action"] = action
        self._queue.append(event)
        if self._writer is None or self._writer.done():
            self._writer = self._tasks.spawn(self._write_all(), "writer")

    async def close(self) -> None:
        """Write what waits, trying each once, and end."""
        self._closing = True
        self._resume.set()
        if self._writer is not None:
            await asyncio.wait([self._writer])
        await self._tasks.close()

    def _drop(self, obj: Object, reason: str, message: str) -> None:
        self._dropped += 1
        now = self._clock.monotonic()
        if now - self._drop_told_at >= DROP_SILENCE_S:
            log.warning(
                "too many events wait, %d dropped, such as %s %s: %s",
                self._dropped,
                key_of(obj),
                reason,
                message,
            )
            self._dropped, self._drop_told_at = 0, now

    def _render(self, obj: Object, event_type: str, reason: str, message: str, field_path: str) -> Object:
        about = object_reference(obj)
        if field_path:
            about["fieldPath"] = field_path
        now = self._clock.now()
        stamp = max(int(now.timestamp() * 1_000_000_000), self._last_stamp + 1)
        self._last_stamp = stamp
        namespace = about.get("namespace") or "default"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{about.get('name', '')}.{stamp:x}", "namespace": namespace},
            "involvedObject": about,
            "reason": reason,
            "message": message[:MESSAGE_LIMIT],
            "source": dict(self._source),
            "firstTimestamp": format_time(now),
            "lastTimestamp": format_time(now),
            "count": 1,
            "type": event_type,
            "eventTime": None,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source.get("host", ""),
        }

    async def _write_all(self) -> None:
        """Write until none waits; the next event makes another writer."""
        while self._queue:
            event = self._queue.popleft()
            try:
                occurrence = self._correlator.occur(event, self._clock.monotonic())
                if occurrence is not None:
                    await self._write(event, occurrence)
            except Exception:
                log.exception("event %s not written", event["metadata"]["name"])

    async def _write(self, event: Object, occurrence: Occurrence) -> None:
        event["message"] = occurrence.message[:MESSAGE_LIMIT]
        event["count"] = occurrence.count
        for attempt in range(TRIES):
            try:
                name = await self._store(event, occurrence)
            except ApiError as error:
                final = error.code not in (429, 500, 503, 504) or attempt == TRIES - 1 or self._closing
                if final:
                    level = logging.DEBUG if error.is_told else logging.WARNING
                    log.log(level, "event %s not written: %s", event["metadata"]["name"], error.message)
                    return
                await self._pause(RETRY_S * 2**attempt)
            else:
                self._correlator.written(occurrence, name)
                return

    async def _pause(self, delay_s: float) -> None:
        """Wait before the next try, but not when closing."""
        self._resume.clear()
        timer = self._clock.call_later(delay_s, self._resume.set)
        try:
            await self._resume.wait()
        finally:
            timer.cancel()

    async def _store(self, event: Object, occurrence: Occurrence) -> str:
        """Patch the event written before, or create one; the name it has."""
        namespace = event["metadata"]["namespace"]
        if occurrence.name:
            patch = {name: event[name] for name in ("count", "message", "lastTimestamp")}
            try:
                await self._client.patch(EVENTS, occurrence.name, namespace, patch)
            except ApiError as error:
                if error.code != 404:  # 404: it expired, so it is new again
                    raise
            else:
                return occurrence.name
        return await self._create(event)

    async def _create(self, event: Object) -> str:
        """Create the event; the name it has. Another component's may have been made in the same nanosecond,

        which simulated time makes likely: then the next name is taken.
        """
        about, _, stamp = event["metadata"]["name"].rpartition(".")
        for later in range(NAMES_TRIED):
            name = f"{about}.{int(stamp, 16) + later:x}"
            event["metadata"]["name"] = name
            try:
                await self._client.create(EVENTS, event)
            except ApiError as error:
                if error.reason != "AlreadyExists" or later == NAMES_TRIED - 1:
                    raise
            else:
                return name
        raise AssertionError("unreachable")
