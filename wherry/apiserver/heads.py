"""The reading side of outbound connections: aiohttp's, but with a bound on what comes before an answer.

A server may send informational answers (1xx) before its own, which aiohttp reads for ever. Go's net/http
gives up after five of them (`max1xxResponses`). Imported by `outbound` when the first connection is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

MOST_INFORMATIONAL = 5
SLICE_B = 32 * 1024
"""What is parsed at once: a kernel's buffer full of heads would hold everybody up."""
SWITCHING = 101


class BoundedHandler(ResponseHandler):
    """One connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._informational = 0

    def data_received(self, data: bytes) -> None:
        if len(data) <= SLICE_B:
            super().data_received(data)
            return
        view = memoryview(data)
        for start in range(0, len(data), SLICE_B):
            if self.exception() is not None:
                return
            super().data_received(bytes(view[start : start + SLICE_B]))

    def feed_data(self, data: Any, size: int = 0) -> None:
        code = data[0].code
        if not 100 <= code < 200 or code == SWITCHING:
            self._informational = 0
        elif self.exception() is None:
            self._informational += 1
            if self._informational > MOST_INFORMATIONAL:
                if self.transport is not None:
                    self.transport.close()
                why = "net/http: too many 1xx informational responses"
                self.set_exception(HttpProcessingError(code=502, message=why))
        if self.exception() is None:
            super().feed_data(data, size)


def bounded(connector: aiohttp.TCPConnector) -> aiohttp.TCPConnector:
    """The connector, whose connections are `BoundedHandler`s; aiohttp has no argument for that."""
    made: Callable[[], ResponseHandler] = partial(BoundedHandler, loop=asyncio.get_running_loop())
    connector._factory = made  # type: ignore[assignment]  # it is only called
    return connector
