"""Keeps the pod network's rules standing: other programs flush iptables (firewalld, ufw, people).

The kernel tells of what goes through nf_tables, so that rules are back within seconds. Nobody tells what the
old iptables does: it is looked at now and then, as kube-proxy does with its canary chain (upstream's
`pkg/util/iptables`, Monitor).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from pathlib import Path

from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.network.changes import rule_news
from wherry.network.cni import PodNetwork
from wherry.network.host_ports import CHAIN, restore_ports
from wherry.network.rules import are_rules_standing, chains, install_rules
from wherry.network.tool import NetworkFailure

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0
SETTLE_S = 0.5
"""Whoever takes rules away is mostly not done with the first."""
BUILT_IN = frozenset(("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"))


class RuleKeeper:
    """Puts the rules of one pod network back whenever they have gone, host ports included.

    `plugins` is where the CNI plugins lie; `on_removed` is called as well when the kernel tells that rules
    were taken away, for others who have some: `others` are chains of theirs.
    """

    def __init__(
        self,
        network: PodNetwork,
        plugins: Path,
        clock: Clock,
        on_removed: Callable[[], None] = lambda: None,
        others: Collection[str] = (),
    ) -> None:
        self._network = network
        self._plugins = plugins
        self._on_removed = on_removed
        self._tasks = Tasks("pod network")
        self._looking = Repeater(
            "looking after the pod network's rules",
            self._look,
            self._tasks,
            clock,
            expected=(NetworkFailure,),
        )
        concerned = BUILT_IN | {chain.name for chain in chains(network)} | {CHAIN, *others}
        self._news = rule_news(concerned.__contains__, self._removed)

    def start(self) -> None:
        """Begin; the rules were installed just now."""
        self._news.start()
        self._looking.within(LOOK_EVERY_S)

    async def close(self) -> None:
        """End; the rules stay."""
        self._news.close()
        await self._looking.close()
        await self._tasks.close()

    def _removed(self) -> None:
        self._looking.within(SETTLE_S)
        self._on_removed()

    async def _look(self) -> float:
        if not await are_rules_standing(self._network):
            log.warning("rules of the pod network were taken away by another program; putting them back")
            await install_rules(self._network)
        restored = await restore_ports(self._network, self._plugins)
        if restored:
            log.warning("host ports of %d pods were taken away by another program; put back", len(restored))
        return LOOK_EVERY_S
