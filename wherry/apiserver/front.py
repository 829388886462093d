"""The HTTP side of the server: the filter chain around the verbs, in the order a request passes it.

    who (401) - as whom (403) - may they (403) - room for it (429) - the verb - counted, answered

Reading one cached object passes all of this in one synchronous line, without a task, without
decoding anything; whatever has to wait for something becomes a coroutine at that point.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from functools import partial
from inspect import isawaitable
from itertools import accumulate
from time import perf_counter

from wherry.apiserver.authentication.chain import without_token
from wherry.apiserver.authentication.impersonation import impersonated, is_impersonating
from wherry.apiserver.body import is_large, read_beside
from wherry.apiserver.call import AnyOutcome, Call, Outcome, RawOutcome, WatchOutcome
from wherry.apiserver.core import Core
from wherry.apiserver.dispatch import dispatch
from wherry.apiserver.media_types import JSON, PROTOBUF
from wherry.apiserver.metrics import Key, RequestMetrics, metric_key
from wherry.apiserver.paths import Paths
from wherry.apiserver.presentation import FOR_PEOPLE, error_outcome, form_of, indented, present, watch_lens
from wherry.apiserver.protobuf import WATCH_TYPE
from wherry.apiserver.request import NO_QUERY, RequestInfo, parse_path, parse_query, request_info
from wherry.apiserver.seats import Seated
from wherry.apiserver.sinks import HttpSink, WatchBudget, write_all
from wherry.apiserver.subresources.catalog import LONG_RUNNING
from wherry.apiserver.tables import Form
from wherry.kit.httpd.message import (
    Answer,
    Headers,
    Request,
    Response,
    StreamResponse,
    UpgradeResponse,
    Writer,
)
from wherry.kit.httpd.websocket import is_websocket
from wherry.objects.errors import ApiError, internal, server_timeout

log = logging.getLogger(__name__)

NO_CACHE = (("Cache-Control", "no-cache, private"),)
WARNINGS_LIMIT, WARNING_LIMIT = 4096, 256
"""Characters of all warnings of an answer, and what is left of each when there are more."""
PLAIN_ACCEPTS = frozenset({"", "*/*", JSON, "application/json, */*"})


class Front:
    """Turns requests into calls, and outcomes into answers."""

    def __init__(self, core: Core, paths: Paths, metrics: RequestMetrics) -> None:
        self._core = core
        self._paths = paths
        self._metrics = metrics
        self._sinks: set[HttpSink] = set()
        self._watch_budget = WatchBudget(core.config.watch_buffers_bytes)

    def handle(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer one request; never raises.

        Everything up to the verb is decided at once, without waiting: who it is, as whom, whether they may,
        whether there is a seat for it. The verb answers at once as well, or is waited for with a time limit.
        """
        started = perf_counter()
        try:
            user = self._core.authenticator.authenticate(request.connection, request.headers)
            request.headers = without_token(request.headers)
            if request.method == "GET" and not request.query:
                answer = self._cached_object(request, user.is_master, started)
                if answer is not None:
                    return answer
            query = parse_query(request.query)
            info = request_info(request.method, request.path, query)
            headers = request.headers
            if is_impersonating(headers):
                user = impersonated(user, headers, self._core.authorizer.check)
            self._core.authorizer.check(user, info)
            call = Call(info, user, query, request.body, headers.get("content-type", JSON), headers, request)
            try:
                return self._serve(call, started)
            except ApiError as error:
                return self._failed(error, info, started, call)
        except ApiError as error:
            accept = request.headers.get("accept", "")
            return self._failed(error, _unknown_info(request), started, accept=accept)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return self._failed(internal("see the server's log"), _unknown_info(request), started)

    def _cached_object(self, request: Request, is_master: bool, started: float) -> Response | None:
        """The straight line: one object, as JSON, for somebody who may read everything."""
        headers = request.headers
        if not is_master or headers.get("accept", "") not in PLAIN_ACCEPTS or is_impersonating(headers):
            return None
        if headers.get("user-agent", "").startswith(FOR_PEOPLE):
            return None
        target = parse_path(request.path)
        if not target.name or target.subresource or target.is_watch_path:
            return None
        served = self._core.registry.find(target.group, target.version, target.resource)
        if served is None or not served.source.is_ready or served.converts:
            return None
        resource = served.resource
        if resource.namespaced != bool(target.namespace) and resource.plural != "namespaces":
            return None
        cached = served.get(target.namespace, target.name)
        if cached is None:
            return None
        key = Key("GET", target.group, target.version, target.resource, "", "resource")
        self._metrics.observe(key, 200, perf_counter() - started)
        return Response(cached.data + b"\n", headers=NO_CACHE)

    def _serve(self, call: Call, started: float) -> Answer | Awaitable[Answer]:
        info = call.info
        form = form_of(self._core, call)
        if not info.is_resource:
            result = self._paths.serve(call)
        elif info.verb == "watch" or info.subresource in LONG_RUNNING:
            result = dispatch(self._core, call)
            if isawaitable(result):
                return self._later(call, form, result, started)
            return self._answer(call, form, result, started)
        else:
            room = self._metrics.seats.room(info.verb)
            room.take(call.user, info)
            try:
                result = self._read_and_dispatch(call) if is_large(call) else dispatch(self._core, call)
            except BaseException:
                room.give_back()
                raise
            if isawaitable(result):
                return Seated(self._limited(call, form, result, started), room)
            room.give_back()
        if isawaitable(result):
            return self._limited(call, form, result, started)
        return self._answer(call, form, result, started)

    async def _read_and_dispatch(self, call: Call) -> AnyOutcome:
        """A call whose body takes too long to read on the loop."""
        await read_beside(self._core, call)
        result = dispatch(self._core, call)
        return await result if isawaitable(result) else result

    async def _limited(self, call: Call, form: Form, result: Awaitable[AnyOutcome], started: float) -> Answer:
        """Await a verb that may not take for ever."""
        try:
            async with asyncio.timeout(self._core.config.request_timeout_s):
                return self._answer(call, form, await result, started)
        except TimeoutError:
            timeout = server_timeout(
                "request did not complete within requested timeout - context deadline exceeded", 0
            )
            return self._failed(timeout, call.info, started, call)
        except ApiError as error:
            return self._failed(error, call.info, started, call)
        except Exception:
            log.exception("%s %s failed", call.info.verb, call.info.path)
            return self._failed(internal("see the server's log"), call.info, started, call)

    async def _later(self, call: Call, form: Form, result: Awaitable[AnyOutcome], started: float) -> Answer:
        """Await a verb that may take as long as its client stays."""
        try:
            return self._answer(call, form, await result, started)
        except ApiError as error:
            return self._failed(error, call.info, started, call)
        except Exception:
            log.exception("%s %s failed", call.info.verb, call.info.path)
            return self._failed(internal("see the server's log"), call.info, started, call)

    def _answer(self, call: Call, form: Form, result: AnyOutcome, started: float) -> Answer:
        if isinstance(result, WatchOutcome):
            return self._watching(call, form, result, started)
        if isinstance(result, RawOutcome):
            return self._counted(
                result.answer, self._observe(call.info, _status_of(result.answer), started, call)
            )
        outcome = present(self._core, call, form, result)
        self._observe(call.info, outcome.status, started, call)
        headers: Headers = outcome.headers
        if not any(name == "Cache-Control" for name, _ in headers):
            headers = (*NO_CACHE, *headers)
        if call.warnings:
            headers = (*headers, *warning_headers(call.warnings))
        if outcome.pieces is not None:
            run = partial(_send, outcome.pieces)
            return StreamResponse(run, outcome.status, outcome.content_type, headers)
        return Response(ended(outcome), outcome.status, outcome.content_type, headers)

    def _watching(self, call: Call, form: Form, outcome: WatchOutcome, started: float) -> Answer:
        lens = watch_lens(self._core, call, form, outcome.served)
        key = self._observe(call.info, 200, started, call)
        count = self._metrics.watch_count(key.group, key.version, key.resource)

        async def run(writer: Writer) -> None:
            limit = self._core.config.watch_buffer_bytes
            sink = HttpSink(self._core.clock, writer, limit, lens, count, self._watch_budget)
            self._sinks.add(sink)
            try:
                with self._metrics.running(key):
                    await outcome.run(sink)
            finally:
                self._sinks.discard(sink)
                self._watch_budget.forget(sink)

        if "upgrade" in call.headers and call.request is not None and is_websocket(call.request):
            from wherry.apiserver.watch_socket import watch_socket

            return watch_socket(call.request, run, is_text=form.media_type != PROTOBUF)
        content_type = WATCH_TYPE if form.media_type == PROTOBUF else JSON
        return StreamResponse(
            run, content_type=content_type, headers=(*NO_CACHE, *warning_headers(call.warnings))
        )

    def _counted(self, answer: Answer, key: Key) -> Answer:
        """A streamed or upgraded answer that counts itself as long-running while it lasts."""
        if isinstance(answer, StreamResponse | UpgradeResponse):
            run = answer.run

            async def counting(peer: object) -> None:
                with self._metrics.running(key):
                    await run(peer)  # type: ignore[arg-type]

            answer.run = counting
        return answer

    def _failed(
        self,
        error: ApiError,
        info: RequestInfo,
        started: float,
        call: Call | None = None,
        accept: str = "",
    ) -> Response:
        """The error's answer; another's if it cannot be told (half a character in its message, say)."""
        try:
            return self._refusal(error, info, started, call, accept)
        except Exception:
            log.exception("%s %s failed, and its error cannot be told", info.verb, info.path)
            return self._refusal(internal("see the server's log"), info, started, None, accept)

    def _refusal(
        self, error: ApiError, info: RequestInfo, started: float, call: Call | None, accept: str
    ) -> Response:
        self._observe(info, error.code, started, call)
        headers: Headers = NO_CACHE
        retry_after = error.details.get("retryAfterSeconds")
        if isinstance(retry_after, int) and retry_after > 0:
            headers = (*headers, ("Retry-After", str(retry_after)))
        if call is not None:
            headers = (*headers, *warning_headers(call.warnings))
            accept = call.accept
        outcome = error_outcome(error, accept)
        if call is not None:
            outcome = indented(call, outcome)
        return Response(ended(outcome), error.code, outcome.content_type, headers)

    def _observe(self, info: RequestInfo, code: int, started: float, call: Call | None) -> Key:
        if not self._is_counted_by_name(info):
            key = metric_key(info._replace(is_resource=False), NO_QUERY)
        elif call is None:
            key = metric_key(info, NO_QUERY)
        else:
            key = metric_key(info, call.query, call.content_type)
        self._metrics.observe(key, code, perf_counter() - started)
        return key

    def _is_counted_by_name(self, info: RequestInfo) -> bool:
        """Whether what is asked for is served: whatever else strangers ask for is counted without a name."""
        served = self._core.registry.find(info.group, info.version, info.resource)
        return served is not None and (
            not info.subresource or any(sub.name == info.subresource for sub in served.resource.subresources)
        )

    def close(self) -> None:
        """End every watch, so that connections can close."""
        for sink in list(self._sinks):
            sink.end()


def ended(outcome: Outcome) -> bytes:
    """The answer's bytes; JSON ends with a newline, as Go's encoder writes it."""
    data = outcome.data
    return data if outcome.content_type != JSON or data.endswith(b"\n") else data + b"\n"


async def _send(pieces: Iterable[bytes], writer: Writer) -> None:
    await write_all(pieces, writer)


def warning_headers(warnings: list[str]) -> tuple[tuple[str, str], ...]:
    """`Warning:` headers; each text once, in the quoting RFC 7234 wants.

    When all together are too long, each is cut short, and the rest left out once there is enough.
    """
    if not warnings:
        return ()
    texts = list(dict.fromkeys(warnings))
    if sum(map(len, texts)) > WARNINGS_LIMIT:
        shortened = [text[:WARNING_LIMIT] for text in texts]
        texts = [
            text
            for text, before in zip(shortened, accumulate(map(len, shortened), initial=0), strict=False)
            if before < WARNINGS_LIMIT
        ]
    return tuple(("Warning", f'299 - "{_quoted(text)}"') for text in texts)


def _quoted(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text)
    ascii_text = printable.encode("ascii", "replace").decode()
    return ascii_text.replace("\\", "\\\\").replace('"', '\\"')


def _unknown_info(request: Request) -> RequestInfo:
    return request_info(request.method, request.path, NO_QUERY)


def _status_of(answer: Answer) -> int:
    return 101 if isinstance(answer, UpgradeResponse) else answer.status
