"""Pass a request on to the API server that serves its group version, with who is asking in headers."""

from __future__ import annotations

from contextlib import AsyncExitStack
from urllib.parse import quote, urlencode

import orjson

from wherry.apiserver.aggregation.remote import Remote
from wherry.apiserver.backends import Unreachable, service_backend
from wherry.apiserver.call import Call, RawOutcome
from wherry.apiserver.core import Core
from wherry.apiserver.subresources.streams import HOP_BY_HOP, passed_on
from wherry.apiserver.user import User
from wherry.kit.httpd.message import Response
from wherry.objects.errors import ApiError, service_unavailable

NOT_PASSED_ON = frozenset({"authorization", "host"})
METHODS = {
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}


async def pass_on(core: Core, call: Call, remote: Remote) -> RawOutcome:
    """The answer of the extension API server. Raises ApiError (502, 503)."""
    if not remote.verdict.is_available:
        raise service_unavailable("service unavailable")
    namespace, name, port = remote.service
    request = call.request
    if request is not None:
        method, body = request.method, request.body
        path = request.raw_path + (f"?{request.query}" if request.query else "")
    else:
        method = METHODS.get(call.info.verb, "GET")
        body = orjson.dumps(call.body) if call.body else b""
        path = quote(call.info.path) + (f"?{urlencode(call.query)}" if call.query else "")
    headers = forwarded_headers(call, call.user)
    held = AsyncExitStack()
    try:
        backend = await service_backend(core, namespace, name, port)
        response = await held.enter_async_context(
            core.backends.request(
                method,
                backend.base_url + path,
                trust=remote.trust(core.config),
                server_name=backend.server_name,
                headers=headers,
                body=body or None,
            )
        )
        if request is not None:
            return RawOutcome(passed_on(response, held))
        data = await response.read()
        await held.aclose()
    except Unreachable as error:
        await held.aclose()
        raise ApiError(503, "ServiceUnavailable", f"error trying to reach service: {error}") from error
    except BaseException:
        await held.aclose()
        raise
    if response.status >= 400:
        raise _error(response.status, data)
    return RawOutcome(Response(data, response.status))


def forwarded_headers(call: Call, user: User) -> list[tuple[str, str]]:
    """The client's headers without credentials, and the identity that was established."""
    sent = [
        (name, value)
        for name, value in call.headers.items()
        if name not in NOT_PASSED_ON
        and name not in HOP_BY_HOP
        # Some servers take "_" for "-": an identity must not slip in that way either.
        and not name.replace("_", "-").startswith(("impersonate-", "x-remote-"))
    ]
    if "accept-encoding" not in call.headers:
        # aiohttp would ask for compression by itself, and the answer is passed on as it comes.
        sent.append(("accept-encoding", "identity"))
    if call.request is None and call.body:
        sent.append(("content-type", call.content_type))
    sent.append(("X-Remote-User", user.name))
    sent += [("X-Remote-Group", group) for group in user.groups]
    for key, values in user.extra.items():
        sent += [(f"X-Remote-Extra-{quote(key, safe='')}", value) for value in values]
    return sent


def _error(status: int, data: bytes) -> ApiError:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        body = None
    if isinstance(body, dict) and body.get("kind") == "Status":
        return ApiError.from_status(body)
    return ApiError(status, "", data[:200].decode(errors="replace"))
