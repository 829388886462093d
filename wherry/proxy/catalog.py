"""The proxy's modes: which backends there are, and `ChosenBackend`, the one a node takes."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Mapping

from wherry.network.tool import ToolRefused
from wherry.proxy.backends.base import Backend, BackendError, NodeNetwork
from wherry.proxy.backends.iptables import IptablesBackend
from wherry.proxy.backends.nftables import NftablesBackend
from wherry.proxy.model import Model

log = logging.getLogger(__name__)

AUTO, NFTABLES, IPTABLES = "auto", "nftables", "iptables"
BACKENDS: Mapping[str, Callable[[NodeNetwork], Backend]] = {
    NFTABLES: NftablesBackend,
    IPTABLES: IptablesBackend,
}
"""By mode, the best first."""
MODES = (AUTO, *BACKENDS)
TOOLS = {NFTABLES: "nft", IPTABLES: "iptables-save"}


class ChosenBackend:
    """The backend of a mode, chosen when the first rules are to be put into the kernel.

    `auto` is nftables where this machine can do that, else iptables. What an earlier agent of another mode
    left is taken away once the rules stand, so that services are reached all the time.
    """

    def __init__(self, mode: str, network: NodeNetwork) -> None:
        self._asked = mode
        self._network = network
        self._backend: Backend | None = None
        self._is_alone = False
        self.mode = ""
        """Which one it is, "" until it is chosen."""

    async def apply(self, model: Model, changed: Collection[str]) -> None:
        """See `Backend.apply`. Raises BackendError also where the machine cannot do what was asked for."""
        if self._backend is None:
            self.mode = await self._choose()
            self._backend = BACKENDS[self.mode](self._network)
        await self._backend.apply(model, changed)
        await self._be_alone()

    async def is_intact(self) -> bool:
        """See `Backend.is_intact`."""
        if self._backend is None:
            return False
        await self._be_alone()
        return await self._backend.is_intact()

    async def _be_alone(self) -> None:
        """Take away what another mode left. What resists is tried again at the next look: ours stand."""
        if not self._is_alone:
            try:
                await self._remove_all(but=self.mode)
                self._is_alone = True
            except BackendError as error:
                log.warning("rules of another proxy mode cannot be taken away yet: %s", error)

    async def remove(self) -> None:
        """Take back every rule of this node, of whatever mode. Raises BackendError."""
        self._backend, self._is_alone = None, False
        await self._remove_all()

    async def _choose(self) -> str:
        if self._asked == IPTABLES:
            return IPTABLES
        try:
            await NftablesBackend(self._network).probe()
        except BackendError as error:
            # What could not be run just now says nothing of what the machine can.
            is_answer = isinstance(error.__cause__, ToolRefused) or shutil.which(TOOLS[NFTABLES]) is None
            if self._asked == NFTABLES or not is_answer:
                raise
            log.info("services are routed by iptables, since nftables cannot: %s", error)
            return IPTABLES
        return NFTABLES

    async def _remove_all(self, but: str = "") -> None:
        for mode, backend in BACKENDS.items():
            # Without its tool none of its rules were made.
            if mode != but and shutil.which(TOOLS[mode]) is not None:
                await backend(self._network).remove()
