"""The API server without HTTP, for components in the same process: `LocalTransport`.

The same authorization, admission and validation as over the wire, but objects are handed over as
they are: nothing is encoded that is not stored, and watchers share one decoded object per event.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TypeAlias

import orjson

from wherry.api.resource import Resource
from wherry.apiserver.call import Call, Outcome, RawOutcome, WatchOutcome, settle
from wherry.apiserver.core import Core
from wherry.apiserver.dispatch import dispatch
from wherry.apiserver.heartbeats import Heartbeats
from wherry.apiserver.paths import Paths
from wherry.apiserver.request import NO_QUERY, request_info
from wherry.apiserver.sinks import LocalSink
from wherry.apiserver.user import User
from wherry.client.transport import JSON, WatchEvent
from wherry.kit.httpd.message import Response
from wherry.kit.tasks import others_end
from wherry.objects.errors import ApiError, bad_request, service_unavailable
from wherry.objects.meta import Object

Warned: TypeAlias = Callable[[Sequence[str]], None]


class LocalTransport:
    """A `client.transport.Transport` that acts as `user`.

    `warned` hears what the server warns of, which is no part of an answer's object.
    """

    def __init__(
        self, core: Core, paths: Paths, user: User, *, sinks: set[LocalSink], warned: Warned | None = None
    ) -> None:
        self._core = core
        self._paths = paths
        self._user = user
        self._warned = warned
        self._all_sinks = sinks
        self._sinks: set[LocalSink] = set()
        self._closed = False
        self._headers = {"user-agent": user.name.rpartition(":")[2]}
        self._heartbeats: Heartbeats | None = None

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | list[Object] | None = None,
        content_type: str = JSON,
    ) -> Object:
        """See `Transport.call`."""
        await self._core.local_runs.next()
        with self._core.local_calls.counting(method), others_end(f"{method} {path}"):
            return await self._call(method, path, query, body, content_type)

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Object | list[Object] | None,
        content_type: str,
    ) -> Object:
        call = self._make_call(method, path, query, body, content_type)
        result = self._paths.serve(call) if not call.info.is_resource else dispatch(self._core, call)
        outcome = await settle(result)
        if call.warnings and self._warned is not None:
            self._warned(call.warnings)
        if isinstance(outcome, RawOutcome) and isinstance(outcome.answer, Response):
            decoded: Object = orjson.loads(outcome.answer.body)
            return decoded
        if not isinstance(outcome, Outcome):
            raise bad_request("streams cannot be had through a call")
        if outcome.content_type != JSON:
            raise bad_request(f"{path} answers {outcome.content_type}, not an object")
        return outcome.object

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[WatchEvent]:
        """See `Transport.watch`."""
        call = self._make_call("GET", path, {**query, "watch": "true"}, None, JSON)
        outcome = await settle(dispatch(self._core, call))
        if isinstance(outcome, Outcome | RawOutcome):
            raise bad_request(f"{path} cannot be watched")
        served = outcome.served if outcome.served.converts else None
        sink = LocalSink(self._core.clock, self._core.threads, served)
        self._sinks.add(sink)
        self._all_sinks.add(sink)
        running = asyncio.ensure_future(_run(outcome, sink))
        try:
            while (event := await sink.next()) is not None:
                yield event
            if running.done():
                running.result()
        finally:
            sink.end()
            self._sinks.discard(sink)
            self._all_sinks.discard(sink)
            running.cancel()

    async def beat(self, resource: Resource, objects: Sequence[Object], manager: str) -> list[Object | None]:
        """See `BeatingTransport.beat`."""
        if self._closed:
            raise _closed()
        await self._core.local_runs.next()
        if self._heartbeats is None:
            self._heartbeats = Heartbeats(self._core, self._user)
        return await self._heartbeats.beat(resource, objects, manager or self._headers["user-agent"])

    async def close(self) -> None:
        """End this transport's watches; calls fail from now on."""
        self._closed = True
        for sink in list(self._sinks):
            sink.end()

    def _make_call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Object | list[Object] | None,
        content_type: str,
    ) -> Call:
        if self._closed:
            raise _closed()
        parameters = dict(query) if query else NO_QUERY
        info = request_info(method, path, parameters)
        self._core.authorizer.check(self._user, info)
        return Call(info, self._user, parameters, body, content_type, self._headers)


def _closed() -> ApiError:
    return service_unavailable("the transport was closed")


async def _run(outcome: WatchOutcome, sink: LocalSink) -> None:
    try:
        await outcome.run(sink)
    finally:
        sink.end()
