"""Answers of other servers passed on to the client, piece by piece."""

from __future__ import annotations

import logging
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from wherry.apiserver.outbound import Unreachable, header_bytes, kept_headers
from wherry.kit.httpd.message import StreamResponse, Writer
from wherry.objects.errors import ApiError

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)


LOWEST_STATUS, HIGHEST_STATUS = 200, 599


def check_status(status: int, protocol: str = "") -> None:
    """Raise ApiError (502) for a status no plain answer may have, in the words of Go's `net/http`.

    `protocol` is what the other server wanted to switch to.
    """
    if status == 101:
        raise ApiError(502, "", f'backend tried to switch protocol "{protocol}" when "" was requested')
    if not LOWEST_STATUS <= status <= HIGHEST_STATUS:
        raise ApiError(502, "", f'malformed HTTP status code "{status:03}"')


def passed_on(
    response: aiohttp.ClientResponse,
    held: AsyncExitStack,
    changed: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]] = lambda pieces: pieces,
) -> StreamResponse:
    """An answer that is `response`, sent as it arrives; `held` is closed at its end.

    `changed` makes of the body's pieces those that are sent. Raises ApiError (502), with `held` not closed,
    for a status no answer may have.
    """
    check_status(response.status, response.headers.get("Upgrade", ""))

    async def run(writer: Writer) -> None:
        try:
            async with held:
                async for piece in changed(response.content.iter_any()):
                    writer.write(piece)
                    await writer.drain()
        except (ApiError, Unreachable, OSError, TimeoutError, zlib.error) as error:
            log.info("an answer passed on broke off: %s", error)
            writer.abort()

    content_type = header_bytes(response.headers.get("Content-Type", "application/octet-stream"))
    return StreamResponse(run, response.status, content_type, kept_headers(response), is_followed=True)
