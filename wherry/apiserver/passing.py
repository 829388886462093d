"""Answers of other servers passed on to the client, piece by piece."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from wherry.apiserver.outbound import Unreachable, kept_headers
from wherry.kit.httpd.message import StreamResponse, Writer
from wherry.objects.errors import ApiError

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)


def passed_on(response: aiohttp.ClientResponse, held: AsyncExitStack, begun: bytes = b"") -> StreamResponse:
    """An answer that is `response`, sent as it arrives; `held` is closed at its end.

    `begun` is what was read of its body already.
    """

    async def run(writer: Writer) -> None:
        try:
            async with held:
                writer.write(begun)
                async for piece in response.content.iter_any():
                    writer.write(piece)
                    await writer.drain()
        except (ApiError, Unreachable, OSError, TimeoutError) as error:
            log.info("an answer passed on broke off: %s", error)
            writer.abort()

    content_type = response.headers.get("Content-Type", "application/octet-stream")
    return StreamResponse(run, response.status, content_type, kept_headers(response))
