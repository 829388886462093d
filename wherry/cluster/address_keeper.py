"""Keeping to the node's address while the machine moves from network to network: `AddressKeeper`.

It looks, has others decide (`addresses`) and tells. Apart from them: a command line that asks for the address
once needs no event loop.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.network.changes import address_news

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0
SETTLE_S = 0.2
"""A network that comes changes several things at once."""


class AddressKeeper:
    """Looks at the node's address when the kernel says something changed, and every 30 s.

    `now(known)` tells the address as it is now. `apply(ip)` is awaited with each new one, and again with
    the same one after it failed; `always()` is called at each look, for what else may have changed.
    """

    def __init__(
        self,
        now: Callable[[str], str],
        known: str,
        apply: Callable[[str], Awaitable[None]],
        always: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._now = now
        self._known = known
        self._apply = apply
        self._always = always
        self._tasks = Tasks("node address")
        self._looking = Repeater(
            "looking after the node's address", self._look, self._tasks, clock, expected=(OSError,)
        )
        self._changes = address_news(lambda: self._looking.within(SETTLE_S))

    def start(self) -> None:
        """Begin; the first look comes soon, since the machine may have moved since `known` was found."""
        self._changes.start()
        self._looking.within(SETTLE_S)

    async def close(self) -> None:
        """Stop looking."""
        self._changes.close()
        await self._looking.close()
        await self._tasks.close()

    async def _look(self) -> float:
        found = self._now(self._known)
        if found != self._known:
            log.info("the node's address is %s now, was %s", found, self._known)
            await self._apply(found)
            self._known = found
        self._always()
        return LOOK_EVERY_S
