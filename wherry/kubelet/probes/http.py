"""Asking over HTTP: any answer from 200 up to 399 is good.

Certificates are not checked, redirects are followed only on the same host, every request uses a
connection of its own, so that a probe tells about new connections.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp
from yarl import URL

from wherry.kubelet.probes.result import Outcome, ProbeResult

MAX_REDIRECTS = 10
BODY_LIMIT = 10 * 1024


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """A GET to make."""

    url: str
    headers: tuple[tuple[str, str], ...]
    host: str
    port: int


class HttpProber:
    """Makes requests; one for all of an agent, as its session is made once."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def get(self, target: HttpTarget, timeout_s: float) -> ProbeResult:
        """The result of one GET, within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._follow(target)
        except TimeoutError:
            why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        except aiohttp.ClientConnectorError as error:
            why = f"dial tcp {target.host}:{target.port}: {_connect_error(error.os_error)}"
        except aiohttp.ServerDisconnectedError:
            why = "EOF"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
        return ProbeResult(Outcome.FAILURE, f'Get "{target.url}": {why}', reached=False)

    async def close(self) -> None:
        """Give up the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _follow(self, target: HttpTarget) -> ProbeResult:
        url = URL(target.url, encoded=True)
        for _ in range(MAX_REDIRECTS):
            async with self._connect().get(
                url, headers=dict(target.headers), allow_redirects=False, ssl=False
            ) as response:
                place = response.headers.get("Location")
                if not (300 <= response.status < 400 and place):
                    return await _judge(response)
                following = url.join(URL(place))
                if following.host != url.host:
                    return ProbeResult(
                        Outcome.WARNING,
                        f"Probe terminated redirects, Response body: {await _body(response)}",
                    )
                url = following
        return ProbeResult(Outcome.FAILURE, f'Get "{url}": stopped after {MAX_REDIRECTS} redirects')

    def _connect(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept"),
            )
        return self._session


async def _body(response: aiohttp.ClientResponse) -> str:
    return (await response.content.read(BODY_LIMIT)).decode("utf-8", "replace")


async def _judge(response: aiohttp.ClientResponse) -> ProbeResult:
    if 200 <= response.status < 400:
        return ProbeResult(Outcome.SUCCESS)
    return ProbeResult(Outcome.FAILURE, f"HTTP probe failed with statuscode: {response.status}")


def _connect_error(error: OSError) -> str:
    text = (error.strerror or str(error)).lower()
    return f"connect: {text.partition('connect call failed')[0].strip() or 'connection refused'}"
