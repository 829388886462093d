"""Pass a request on to the API server that serves its group version, with who is asking in headers.

Upgraded connections (WebSockets, SPDY) are passed through.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from urllib.parse import quote, urlencode

import orjson

from wherry.api.foreign import answered_error
from wherry.apiserver.aggregation.remote import Remote
from wherry.apiserver.call import Call, RawOutcome
from wherry.apiserver.endpoints import service_backend
from wherry.apiserver.outbound import Unreachable, passed_headers, read_answer
from wherry.apiserver.parts import Parts
from wherry.apiserver.passing import passed_on
from wherry.apiserver.tunnel import is_upgrade, tunnel
from wherry.apiserver.user import User
from wherry.kit.httpd.message import RequestHeaders, Response
from wherry.objects.errors import ApiError, service_unavailable

ANSWER_LIMIT_B = 64 * 1024 * 1024
"""What one of our own components takes of an extension server: a list of a few ten thousand objects."""
METHODS = {
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}


async def pass_on(core: Parts, call: Call, remote: Remote) -> RawOutcome:
    """The answer of the extension API server. Raises ApiError (502, 503)."""
    if not remote.verdict.is_available:
        raise service_unavailable("service unavailable")
    namespace, name, port = remote.service
    request = call.request
    if request is not None:
        method, body = request.method, request.body
        path, query = request.raw_path, request.query
    else:
        method = METHODS.get(call.info.verb, "GET")
        body = orjson.dumps(call.body) if call.body else b""
        path, query = quote(call.info.path), urlencode(call.query)
    headers = forwarded_headers(call, call.user)
    held = AsyncExitStack()
    try:
        backend = await service_backend(core.registry, core.random, namespace, name, port)
        trust = remote.trust(core.config, backend.server_name)
        if request is not None and is_upgrade(request.headers):
            asked = request.headers
            return RawOutcome(
                await tunnel(core.outbound, backend.target, method, path, query, asked, trust, headers)
            )
        response = await held.enter_async_context(
            core.outbound.request(
                method,
                backend.target,
                path,
                query,
                trust=trust,
                headers=headers,
                body=body or None,
            )
        )
        if request is not None:
            return RawOutcome(passed_on(response, held))
        data = await read_answer(response, ANSWER_LIMIT_B)
        await held.aclose()
    except Unreachable as error:
        await held.aclose()
        raise ApiError(503, "ServiceUnavailable", f"error trying to reach service: {error}") from error
    except BaseException:
        await held.aclose()
        raise
    if response.status >= 400:
        raise answered_error(response.status, data, "the extension server")
    return RawOutcome(Response(data, response.status))


def forwarded_headers(call: Call, user: User) -> list[tuple[str, str]]:
    """The client's headers without credentials, and the identity that was established."""
    sent = passed_headers(RequestHeaders() if call.request is None else call.request.headers)
    if call.request is None and call.body:
        sent.append(("content-type", call.content_type))
    sent.append(("X-Remote-User", user.name))
    sent += [("X-Remote-Group", group) for group in user.groups]
    for key, values in user.extra.items():
        sent += [(f"X-Remote-Extra-{quote(key, safe='')}", value) for value in values]
    return sent
