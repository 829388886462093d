"""What a proxied server answers, with redirects and the links of its pages leading back through the proxy.

Pages go through as they come, like everything else: none is held, whatever its length.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from wherry.apiserver.passing import passed_on
from wherry.apiserver.subresources.rewriting import Page, Rewriter
from wherry.kit.httpd.message import StreamResponse
from wherry.kit.portions import Work, others

if TYPE_CHECKING:
    import aiohttp

PORTION_B = 32 * 1024
"""How much of a page is looked at at once: a millisecond or two."""
GZIP = zlib.MAX_WBITS | 16
CHARSETS = frozenset({"utf-8", "utf8", "iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"})
"""Where a page says one of these (or nothing), links are bytes of ASCII; the rest is not even looked at.

What a pod names as its charset is never handed to Python's codecs, of which some take quadratic time.
"""


def led_back(response: aiohttp.ClientResponse, held: AsyncExitStack, rewriter: Rewriter) -> StreamResponse:
    """The answer for the client; `held` is closed at its end.

    Raises ApiError (502), with `held` not closed, for a status no answer may have.
    """
    is_page = "Location" not in response.headers and _is_page(response)
    is_packed = is_page and _encoding(response) == "gzip"

    def rewritten(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return _rewritten(_unpacked(pieces) if is_packed else _portions(pieces), rewriter)

    answer = passed_on(response, held, rewritten) if is_page else passed_on(response, held)
    answer.headers = [
        (name, rewriter.address(value) if name.lower() == "location" else value)
        for name, value in answer.headers
        if not name.lower().startswith("access-control-")  # it is not the server's to open the API to others
        and not (is_packed and name.lower() == "content-encoding")
    ]
    return answer


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
    is_readable = charset in CHARSETS and _encoding(response) in ("identity", "gzip")
    return content_type.strip() == "text/html" and is_readable


def _encoding(response: aiohttp.ClientResponse) -> str:
    return response.headers.get("Content-Encoding", "identity").lower()


async def _rewritten(portions: AsyncIterator[bytes], rewriter: Rewriter) -> AsyncIterator[bytes]:
    """A page with its links rewritten as it comes; others have their turn after every portion of it."""
    page = Page(rewriter)
    async for portion in portions:
        # Latin-1 has a character for every byte: what is no link comes out as it went in, whatever it meant.
        yield page.feed(portion.decode("latin-1")).encode("latin-1")
        await others(Work.REQUESTS)
    yield page.end().encode("latin-1")


async def _portions(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        for start in range(0, len(piece), PORTION_B):
            yield piece[start : start + PORTION_B]


async def _unpacked(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What gzip packed, in portions. Raises zlib.error for what is none, or is cut off."""
    unpacking = zlib.decompressobj(wbits=GZIP)
    async for piece in pieces:
        left = piece
        while left:
            if unpacking.eof:  # one packed text may follow another (RFC 1952, 2.2)
                unpacking = zlib.decompressobj(wbits=GZIP)
                await others(Work.REQUESTS)
            portion = unpacking.decompress(left, PORTION_B)
            while portion:
                yield portion
                left = unpacking.unconsumed_tail
                portion = unpacking.decompress(left, PORTION_B) if not unpacking.eof else b""
            left = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
    if not unpacking.eof:
        raise zlib.error("the page is cut off")
