"""What a proxied server answers, with redirects and the links of its pages leading back through the proxy."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from wherry.apiserver.outbound import Unreachable
from wherry.apiserver.passing import passed_on
from wherry.apiserver.subresources.rewriting import Rewriter
from wherry.kit.httpd.message import Response, StreamResponse
from wherry.objects.errors import ApiError

if TYPE_CHECKING:
    import aiohttp

PAGE_LIMIT_B = 8 * 1024 * 1024
"""A larger page is passed on as it is: to have its links lead back here, it has to be held as a whole."""
CHARSETS = frozenset({"utf-8", "utf8", "iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"})
"""Where a page says one of these (or nothing), links are bytes of ASCII; the rest is not even looked at.

What a pod names as its charset is never handed to Python's codecs, of which some take quadratic time.
"""


async def led_back(
    response: aiohttp.ClientResponse, held: AsyncExitStack, rewriter: Rewriter
) -> Response | StreamResponse:
    """The answer for the client; `held` is closed at its end. Raises ApiError (502) when it breaks off."""
    answer = passed_on(response, held)
    headers = [
        (name, rewriter.address(value) if name.lower() == "location" else value)
        for name, value in answer.headers
        if not name.lower().startswith("access-control-")  # it is not the server's to open the API to others
    ]
    answer.headers = headers
    if "Location" in response.headers or not _is_page(response):
        return answer
    body = await _beginning(response, held)
    if len(body) > PAGE_LIMIT_B:
        answer = passed_on(response, held, body)
        answer.headers = headers
        return answer
    await held.aclose()
    page = body
    if response.headers.get("Content-Encoding", "identity").lower() == "gzip":
        try:
            page = await asyncio.to_thread(_unpacked, body)
        except zlib.error:
            return Response(body, response.status, answer.content_type, headers)  # not what it says it is
        headers = [pair for pair in headers if pair[0].lower() != "content-encoding"]
    # Latin-1 has a character for every byte: what is no link comes out as it went in, whatever it meant.
    rewritten = (await rewriter.page(page.decode("latin-1"))).encode("latin-1")
    return Response(rewritten, response.status, answer.content_type, headers)


def _is_page(response: aiohttp.ClientResponse) -> bool:
    """Whether it is an HTML page whose links can be read."""
    content_type, _, parameters = response.headers.get("Content-Type", "").lower().partition(";")
    charset = next(
        (
            value.strip().strip('"')
            for name, _, value in (part.partition("=") for part in parameters.split(";"))
            if name.strip() == "charset"
        ),
        "utf-8",
    )
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    return content_type.strip() == "text/html" and charset in CHARSETS and encoding in ("identity", "gzip")


async def _beginning(response: aiohttp.ClientResponse, held: AsyncExitStack) -> bytes:
    """The body, or somewhat more of it than `PAGE_LIMIT_B` bytes. Raises ApiError when it breaks off."""
    body = bytearray()
    try:
        async with AsyncExitStack() as unless_read:
            unless_read.push_async_exit(held)
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > PAGE_LIMIT_B:
                    break
            unless_read.pop_all()
    except Unreachable as error:
        raise ApiError(502, "", f"error trying to reach service: {error.why}") from error
    return bytes(body)


def _unpacked(body: bytes) -> bytes:
    """A compressed page. Raises zlib.error for what is none, or is larger than `PAGE_LIMIT_B` bytes."""
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    page = unpacking.decompress(body, PAGE_LIMIT_B)
    if not unpacking.eof or unpacking.unused_data:
        raise zlib.error("the page is cut off, too large, or followed by more")
    return page
