"""Keeps the pod network's rules standing: other programs flush iptables (firewalld, ufw, people).

Nobody tells when that happens, so it is looked at now and then, as kube-proxy does with its canary chain
(upstream's `pkg/util/iptables`, Monitor).
"""

from __future__ import annotations

import logging

from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.network.cni import PodNetwork
from wherry.network.rules import are_rules_standing, install_rules
from wherry.network.tool import NetworkFailure

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0


class RuleKeeper:
    """Puts the rules of one pod network back whenever they have gone."""

    def __init__(self, network: PodNetwork, clock: Clock) -> None:
        self._network = network
        self._tasks = Tasks("pod network")
        self._looking = Repeater(
            "looking after the pod network's rules",
            self._look,
            self._tasks,
            clock,
            expected=(NetworkFailure,),
        )

    def start(self) -> None:
        """Begin; the rules were installed just now."""
        self._looking.within(LOOK_EVERY_S)

    async def close(self) -> None:
        """End; the rules stay."""
        await self._looking.close()
        await self._tasks.close()

    async def _look(self) -> float:
        if not await are_rules_standing(self._network):
            log.warning("rules of the pod network were taken away by another program; putting them back")
            await install_rules(self._network)
        return LOOK_EVERY_S
