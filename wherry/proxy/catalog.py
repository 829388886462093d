"""The proxy's modes: which backends there are, and which one a node takes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from wherry.proxy.backends.base import Backend, BackendError, NodeNetwork
from wherry.proxy.backends.iptables import IptablesBackend
from wherry.proxy.backends.nftables import NftablesBackend

log = logging.getLogger(__name__)

AUTO, NFTABLES, IPTABLES = "auto", "nftables", "iptables"
BACKENDS: Mapping[str, Callable[[NodeNetwork], Backend]] = {
    NFTABLES: NftablesBackend,
    IPTABLES: IptablesBackend,
}
"""Those that can be asked for, the best first."""
MODES = (AUTO, *BACKENDS)


async def choose(mode: str, network: NodeNetwork) -> tuple[str, Backend]:
    """The mode that is meant by `mode`, and its backend: `auto` is nftables where the kernel can.

    Raises BackendError when this machine cannot do what was asked for.
    """
    if mode == AUTO:
        try:
            await NftablesBackend(network).probe()
        except BackendError as error:
            log.info("services are routed by iptables, this machine's nftables cannot: %s", error)
            mode = IPTABLES
        else:
            mode = NFTABLES
    elif mode == NFTABLES:
        await NftablesBackend(network).probe()
    return mode, BACKENDS[mode](network)


def others(mode: str, network: NodeNetwork) -> list[Backend]:
    """The backends of all other modes: what an agent of another mode left is theirs to remove."""
    return [make(network) for name, make in BACKENDS.items() if name != mode]
