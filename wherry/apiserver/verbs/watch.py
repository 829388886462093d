"""WATCH: a client's sink fed by the cacher until the client, or the time, is gone.

No queue and no task stand between a write and its watchers: the cacher calls the sink, and the sink
writes the shared, once-encoded frame. Only starting and ending is this file's business.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence

from wherry.apiserver.cacher import CachedEvent
from wherry.apiserver.call import Call, EventSink, WatchOutcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import ListOptions, list_options, version_number
from wherry.apiserver.registry import Served
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.selection import Match, selected
from wherry.apiserver.verbs.get import check_reached
from wherry.apiserver.watcher import EventSink as TakeEvents
from wherry.apiserver.watcher import Watcher
from wherry.objects.errors import ApiError, expired
from wherry.objects.meta import Object
from wherry.store.base import Compacted, StoreError

log = logging.getLogger(__name__)

END_BOOKMARK_LEAD_S = 2.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


async def watch(core: Core, call: Call, served: Served) -> WatchOutcome:
    """A watch over the collection, ready to run. Raises ApiError (400, 422, 504)."""
    options = list_options({**call.query, "watch": "1"})
    match = await selected(core, call, served.resource, options)
    if options.send_initial_events:
        after = check_reached(core, options.resource_version)
    else:
        after = version_number(options.resource_version)
    timeout_s = float(options.timeout_s)
    if not timeout_s:  # one below zero is over as it begins (apiserver's endpoints/handlers/get.go)
        timeout_s = core.config.min_watch_timeout_s * (1.0 + core.random.random())

    async def run(sink: EventSink) -> None:
        if match is not None:
            await served.cacher.read_facts(call.info.namespace, match)
        feed = _Feed(core, served, call.info, options, match, sink)
        try:
            async with asyncio.timeout(timeout_s):
                begun = timeout_s > 0 and await feed.begin(after)
        except TimeoutError:
            return  # the client did not take the state in all the time its watch was to last
        if begun:
            await feed.follow(timeout_s)

    outcome = WatchOutcome(run, served)
    return core.watch_tap(call, outcome) if core.watch_tap is not None else outcome


class _Feed:
    """One running watch."""

    def __init__(
        self,
        core: Core,
        served: Served,
        info: RequestInfo,
        options: ListOptions,
        match: Match | None,
        sink: EventSink,
    ) -> None:
        self._core = core
        self._served = served
        self._namespace = info.namespace if served.resource.namespaced else ""
        self._name = info.name
        self._options = options
        self._match = match
        self._sink = sink
        self._subscription: Watcher | None = None

    async def begin(self, after: int) -> bool:
        """Send the state if it is wanted, then subscribe; False when the watch cannot be.

        What is written while a client takes the state is handed over as the recent past. If that was
        forgotten meanwhile, the client is told to begin anew.
        """
        cacher = self._served.cacher
        wants_state = self._options.send_initial_events
        if wants_state is None:
            wants_state = self._options.resource_version in ("", "0")
        if wants_state:
            items, _, after = await cacher.chosen(self._namespace, match=self._match)
            await self._sink.initial(items)
            if not cacher.started:
                self._sink.end()  # meanwhile the resource went away
                return False
            if self._options.send_initial_events and self._options.allow_bookmarks:
                self._bookmark(after, {INITIAL_EVENTS_END: "true"})
        elif self._options.send_initial_events is not None and after == 0:
            after = cacher.revision
        take: TakeEvents = self._sink.events
        if after > self._core.store.revision:
            take, after = self._later_than(after), 0
        if after:
            await self._recall(after)
        try:
            if after:
                after = await cacher.catch_up(self._namespace, after, self._match, take, name=self._name)
                if not cacher.started:
                    self._sink.end()  # meanwhile the resource went away
                    return False
            subscription = cacher.watch(
                self._namespace,
                after,
                self._match,
                take,
                name=self._name,
                ended=self._sink.end,
                makings=self._sink.makings,
            )
        except Compacted as error:
            status = expired(f"too old resource version: {after} ({error.oldest})").status()
            self._sink.control("ERROR", status)
            return False
        self._subscription = subscription
        return True

    async def _recall(self, after: int) -> None:
        """Have the cacher remember again what came since, if the store still knows it."""
        try:
            await self._served.cacher.recall(after)
        except Compacted:
            return  # the client is told so
        except (StoreError, ApiError) as error:
            log.warning("what %s were before revision %d: %s", self._served.resource.plural, after, error)

    def _later_than(self, revision: int) -> TakeEvents:
        """A watch from a version not reached yet is silent until then, as upstream's is."""

        def take(events: Sequence[CachedEvent]) -> int | None:
            later = [event for event in events if event.object.revision > revision]
            return self._sink.events(later) if later else None

        return take

    async def follow(self, timeout_s: float) -> None:
        """Return at the end of the watch, with a bookmark every minute or so and shortly before."""
        try:
            if not self._options.allow_bookmarks:
                await self._sink.wait(timeout_s)
                return
            clock = self._core.clock
            end = clock.monotonic() + timeout_s
            lead_s = min(END_BOOKMARK_LEAD_S, timeout_s / 10)
            while (left_s := end - clock.monotonic()) > 0:
                pause_s = left_s if left_s <= lead_s else min(self._sink.bookmark_every_s, left_s - lead_s)
                if await self._sink.wait(pause_s):
                    return
                if not math.isclose(pause_s, left_s):
                    self._bookmark(self._told())
        finally:
            if self._subscription is not None:
                self._subscription.close()

    def _told(self) -> int:
        """Up to which revision the client was told everything."""
        newest = self._served.cacher.revision
        return newest if self._subscription is None else self._subscription.told_to(newest)

    def _bookmark(self, revision: int, annotations: dict[str, str] | None = None) -> None:
        resource = self._served.resource
        meta: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        self._sink.control(
            "BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
        )
