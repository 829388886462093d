"""Static pods a URL describes: one pod, or a list of them, asked for every so often.

Source: pkg/kubelet/config/http.go, with its texts. While nothing comes that can be read, what was read last
goes on; only an answer ends pods.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

import aiohttp
from yarl import URL

from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.masked import without_userinfo
from wherry.kubelet.static_pods.manifest import HTTP, MAX_BYTES, ManifestError, Origin, read_pods
from wherry.objects.meta import Object

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
TOLD_FAILURES = 3
"""So many failures in a row are reported as errors; the others would fill the log with the same."""


class UrlFailure(Exception):
    """The URL gave nothing that can be read; says why in one line."""


class Url:
    """Follows `url`, asked with `headers`; `on_pods(pods)` is told all pods when the answer is another."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, Sequence[str]],
        node_name: str,
        check_s: float,
        clock: Clock,
        on_pods: Callable[[Sequence[Object]], None],
    ) -> None:
        self._url = url
        self.shown = without_userinfo(url)
        self._headers = [(name, value) for name, values in headers.items() for value in values]
        self._node_name = node_name
        self._check_s = check_s
        self._on_pods = on_pods
        self._last: bytes | None = None
        self._failures = 0
        self._session: aiohttp.ClientSession | None = None
        self._tasks = Tasks("static pods of a URL")
        self._asking = Repeater(f"manifests of {self.shown}", self.ask, self._tasks, clock, longest_s=check_s)

    def start(self) -> None:
        """Begin to follow."""
        self._asking.poke()

    async def close(self) -> None:
        """Follow no more."""
        await self._asking.close()
        await self._tasks.close()
        if self._session is not None:
            await self._session.close()

    async def ask(self) -> float:
        """Ask once; when to ask again, in seconds."""
        try:
            text = await self._get()
            if text != self._last:
                pods = await asyncio.to_thread(read_pods, text, Origin(HTTP, self._url, self._node_name))
                self._last = text
                self._on_pods(pods)
        except (UrlFailure, ManifestError) as error:
            self._failed(error)
        else:
            self._failures = 0
        return self._check_s

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        level = logging.ERROR if self._failures <= TOLD_FAILURES else logging.DEBUG
        log.log(level, "Failed to read pods from URL: %s", error)
        if self._failures == TOLD_FAILURES:
            log.error("Failed to read pods from URL. Dropping verbosity of this message")

    async def _get(self) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), cookie_jar=aiohttp.DummyCookieJar()
            )
        try:
            async with self._session.get(URL(self._url), headers=self._headers) as response:
                if response.status != 200:
                    raise UrlFailure(f"{self.shown}: {response.status} {response.reason}")
                text = await _bounded(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise UrlFailure(
                f"{self.shown}: {without_userinfo(str(error)) or type(error).__name__}"
            ) from None
        if not text:
            raise UrlFailure(f"zero-length data received from {self.shown}")
        return text


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The whole body. Raises UrlFailure when it is larger than a manifest may be."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise UrlFailure(f"{without_userinfo(str(response.url))}: more than {MAX_BYTES} bytes")
    return b"".join(parts)
