"""Answers passed on from elsewhere, piece by piece."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from wherry.kit.httpd.message import StreamResponse, Writer
from wherry.objects.errors import ApiError

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)

HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


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
        except (ApiError, OSError, TimeoutError) as error:
            log.info("an answer passed on broke off: %s", error)
            writer.abort()

    headers = [
        (name, value)
        for name, value in response.headers.items()
        if name.lower() not in HOP_BY_HOP and name.lower() != "content-type"
    ]
    content_type = response.headers.get("Content-Type", "application/octet-stream")
    return StreamResponse(run, response.status, content_type, headers)
