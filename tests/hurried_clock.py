"""A clock by which time passes faster than it does.

For tests in which a real client waits for a server to run out of patience: the server counts all the
seconds it was told to, the test lasts a fraction of them. Where nothing but the server waits,
`FakeClock` is better.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from wherry.kit.clock import Timer


class HurriedClock:
    """A `Clock` on which `speed` seconds pass in each second; it shows the right time when made."""

    def __init__(self, speed: float = 10.0) -> None:
        self._speed = speed
        self._began = datetime.now(UTC)
        self._origin = time.monotonic()

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._origin) * self._speed

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s / self._speed)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(delay_s / self._speed, callback)
