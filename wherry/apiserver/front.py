"""The HTTP side of the server: the filter chain around the verbs, in the order a request passes it.

    who (401) - here audit begins - as whom (403) - room for it (429) - may they (403) - the verb - presented

`Front.chain` is that line: a coroutine in which every filter may wait, with one place for whatever goes
wrong. It begins without a task (`kit.eager`) and has one from where it waits; a filter that waits awaits
`IN_A_TASK` first. Reading one object that is held needs none of it: `Front.fast` answers in one synchronous
line, without decoding anything, and leaves to the chain what it does not know at once.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Coroutine, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import accumulate
from time import perf_counter
from typing import Any

from wherry.apiserver.authentication.chain import without_token
from wherry.apiserver.authentication.impersonation import Impersonation, is_impersonating
from wherry.apiserver.body import is_large, read_beside
from wherry.apiserver.body_budgets import ASKED
from wherry.apiserver.call import AnyOutcome, Call, Outcome, Piece, RawOutcome, Result, WatchOutcome, settle
from wherry.apiserver.core import Core
from wherry.apiserver.dispatch import dispatch
from wherry.apiserver.media_types import JSON, PROTOBUF
from wherry.apiserver.metrics import Key, RequestMetrics, metric_key
from wherry.apiserver.paths import Paths
from wherry.apiserver.presentation import FOR_PEOPLE, error_outcome, form_of, indented, present, watch_lens
from wherry.apiserver.protobuf import WATCH_TYPE
from wherry.apiserver.request import NO_QUERY, RequestInfo, parse_path, parse_query, request_info
from wherry.apiserver.sinks import Beside, HttpSink, write_all
from wherry.apiserver.subresources.catalog import is_long_running
from wherry.apiserver.tables import Form
from wherry.apiserver.user import User
from wherry.kit.deadlines import Deadlines
from wherry.kit.eager import IN_A_TASK, begin
from wherry.kit.httpd.message import (
    Answer,
    Headers,
    Request,
    Response,
    StreamResponse,
    UpgradeResponse,
    Writer,
)
from wherry.kit.httpd.upgrades import is_websocket
from wherry.objects.errors import ApiError, internal, server_timeout

log = logging.getLogger(__name__)

NO_CACHE = (("Cache-Control", "no-cache, private"),)
WARNINGS_LIMIT, WARNING_LIMIT = 4096, 256
"""Characters of all warnings of an answer, and what is left of each when there are more."""
TIMED_OUT = "request did not complete within requested timeout - context deadline exceeded"
NO_SEAT = NO_LIMIT = nullcontext()
AT_ONCE = (Outcome, RawOutcome, WatchOutcome)
"""What a verb answers that had nothing to wait for."""
PLAIN_ACCEPTS = frozenset({"", "*/*", JSON, "application/json, */*"})


class Front:
    """Turns requests into calls, and outcomes into answers."""

    def __init__(self, core: Core, paths: Paths, metrics: RequestMetrics) -> None:
        self._core = core
        self._paths = paths
        self._metrics = metrics
        self._impersonation = Impersonation(core.authorizer.check)
        self._deadlines = Deadlines(core.config.request_timeout_s)
        self._sinks: set[HttpSink] = set()

    def handle(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer one request, at once if nothing has to be waited for."""
        started = perf_counter()
        answer = self.fast(request, started)
        return begin(self.chain(request, started)) if answer is None else answer

    def fast(self, request: Request, started: float) -> Response | None:
        """The straight line: one object as it is held, in JSON, for somebody who may read it.

        None for everything else, and for whatever is not known without waiting: the chain looks at it anew.
        """
        if request.method != "GET" or request.query:
            return None
        headers = request.headers
        if headers.get("accept", "") not in PLAIN_ACCEPTS or is_impersonating(headers):
            return None
        if headers.get("user-agent", "").startswith(FOR_PEOPLE):
            return None
        core, target = self._core, parse_path(request.path)
        if core.interceptor is not None or not target.name or target.subresource or target.is_watch_path:
            return None
        served = core.registry.find(target.group, target.version, target.resource)
        if served is None or not served.source.is_ready or served.converts or "get" not in served.verbs:
            return None
        resource = served.resource
        if resource.deprecation or (target.group, target.version) in core.aggregator.remotes:
            return None
        if resource.namespaced != bool(target.namespace) and resource.plural != "namespaces":
            return None
        try:
            user = self._who(request)
        except ApiError:
            return None  # the chain says so
        if not user.is_master:
            info = request_info("GET", request.path, NO_QUERY)
            if not core.authorizer.decide(user, info).allowed:
                return None
        cached = served.get(target.namespace, target.name)
        if cached is None:
            return None
        key = Key("GET", target.group, target.version, target.resource, "", "resource")
        self._metrics.observe(key, 200, perf_counter() - started)
        return Response(cached.data + b"\n", headers=NO_CACHE)

    async def chain(self, request: Request, started: float) -> Answer:
        """All filters, one after another; what any of them raises is the answer."""
        call: Call | None = None
        try:
            user = self._who(request)
            call = _call_of(request, user)  # from here on is known who asks for what: audit begins
            call.user = self._impersonation.impersonated(user, request.headers, call.info)
            with self._seat(call):
                self._core.authorizer.check(call.user, call.info)
                form = form_of(self._core, call)
                result = self._carry_out(call)
                outcome = result if isinstance(result, AT_ONCE) else await self._in_time(call, result)
                return await self._answer(call, form, outcome, started)
        except TimeoutError:
            return self._failed(server_timeout(TIMED_OUT, 0), request, call, started)
        except ApiError as error:
            return self._failed(error, request, call, started)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return self._failed(internal("see the server's log"), request, call, started)

    def _who(self, request: Request) -> User:
        """Whose request it is, and whose what waits for that connection's peer. Raises ApiError (401)."""
        connection = request.connection
        user = self._core.authenticator.authenticate(connection, request.headers)
        if connection.memo.get(ASKED) is not user:
            connection.memo[ASKED] = user
            connection.identity = user.name
        return user

    def _seat(self, call: Call) -> AbstractContextManager[None]:
        """Room for the request while it is worked on. Raises ApiError (429) when there is none."""
        if not call.info.is_resource or is_long_running(call.info):
            return NO_SEAT
        return self._metrics.seats.room(call.info.verb).seat(call.user, call.info)

    async def _in_time(self, call: Call, work: Coroutine[Any, Any, AnyOutcome]) -> AnyOutcome:
        """What `work` comes to within the time a request has. Raises ApiError, TimeoutError."""
        try:
            await IN_A_TASK
            with NO_LIMIT if is_long_running(call.info) else self._deadlines.within():
                return await work
        finally:
            work.close()  # if nobody waits for it any more

    def _carry_out(self, call: Call) -> Result:
        if not call.info.is_resource:
            return self._paths.serve(call)
        return self._read_and_dispatch(call) if is_large(call) else dispatch(self._core, call)

    async def _read_and_dispatch(self, call: Call) -> AnyOutcome:
        """A call whose body takes too long to read on the loop."""
        await read_beside(self._core, call)
        return await settle(dispatch(self._core, call))

    async def _answer(self, call: Call, form: Form, result: AnyOutcome, started: float) -> Answer:
        """What was done, in the form asked for. Raises ApiError."""
        if isinstance(result, WatchOutcome):
            return self._watching(call, form, result, started)
        if isinstance(result, RawOutcome):
            return self._counted(
                result.answer, self._observe(call.info, _status_of(result.answer), started, call)
            )
        outcome = await present(self._core, call, form, result)
        self._observe(call.info, outcome.status, started, call)
        headers: Headers = outcome.headers
        if not headers:
            headers = NO_CACHE
        elif not any(name == "Cache-Control" for name, _ in headers):
            headers = (*NO_CACHE, *headers)
        if call.warnings:
            headers = (*headers, *warning_headers(call.warnings))
        if outcome.pieces is not None:
            beside = partial(self._core.threads.run, call.user.name)
            run = partial(_send, outcome.pieces, beside)
            return StreamResponse(run, outcome.status, outcome.content_type, headers)
        return Response(ended(outcome), outcome.status, outcome.content_type, headers)

    def _watching(self, call: Call, form: Form, outcome: WatchOutcome, started: float) -> Answer:
        lens = watch_lens(self._core, call, form, outcome.served)
        key = self._observe(call.info, 200, started, call)
        count = self._metrics.watch_count(key.group, key.version, key.resource)

        async def run(writer: Writer) -> None:
            limit = self._core.config.watch_buffer_bytes
            sink = HttpSink(self._core.clock, writer, limit, lens, count)
            self._sinks.add(sink)
            try:
                with self._metrics.running(key):
                    await outcome.run(sink)
            finally:
                self._sinks.discard(sink)

        if "upgrade" in call.headers and call.request is not None and is_websocket(call.request):
            from wherry.apiserver.watch_socket import watch_socket

            return watch_socket(call.request, run, is_text=form.media_type != PROTOBUF)
        content_type = WATCH_TYPE if form.media_type == PROTOBUF else JSON
        return StreamResponse(
            run,
            content_type=content_type,
            headers=(*NO_CACHE, *warning_headers(call.warnings)),
            is_live=True,
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

    def _failed(self, error: ApiError, request: Request, call: Call | None, started: float) -> Response:
        """The error's answer; another's if it cannot be told (half a character in its message, say)."""
        try:
            return self._refusal(error, request, call, started)
        except Exception:
            log.exception("%s %s failed, and its error cannot be told", request.method, request.path)
            return self._refusal(internal("see the server's log"), request, None, started)

    def _refusal(self, error: ApiError, request: Request, call: Call | None, started: float) -> Response:
        """An error as its client wants it told; `call` is None when it was not even known who asks."""
        info = call.info if call is not None else request_info(request.method, request.path, NO_QUERY)
        self._observe(info, error.code, started, call)
        headers: Headers = NO_CACHE
        retry_after = error.details.get("retryAfterSeconds")
        if isinstance(retry_after, int) and retry_after > 0:
            headers = (*headers, ("Retry-After", str(retry_after)))
        if call is not None:
            headers = (*headers, *warning_headers(call.warnings))
        outcome = error_outcome(error, request.headers.get("accept", ""))
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


async def _send(pieces: Iterable[Piece], beside: Beside, writer: Writer) -> None:
    await write_all(pieces, writer, beside)


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


def _call_of(request: Request, user: User) -> Call:
    """The request as the verbs see it, without what proved who it is. Raises ApiError (400)."""
    headers = request.headers = without_token(request.headers)
    query = parse_query(request.query)
    info = request_info(request.method, request.path, query)
    return Call(info, user, query, request.body, headers.get("content-type", JSON), headers, request)


def _status_of(answer: Answer) -> int:
    return 101 if isinstance(answer, UpgradeResponse) else answer.status
