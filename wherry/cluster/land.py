"""The pods' network of one node on this machine, laid for the range the node is given: `MachineLand`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wherry.cluster.node import Node, plan_of
from wherry.cluster.node_config import NodeConfig
from wherry.kit.clock import Clock
from wherry.kubelet.runtimes.containerd.daemon import ContainerdDaemon
from wherry.network.ground import Plan
from wherry.network.keeper import RuleKeeper
from wherry.network.tool import NetworkFailure


class MachineLand:
    """See `node_assembly.Land`. `daemon` is the containerd that reads the network's configuration.

    `plugins` is where the CNI plugins lie; `on_removed` is called when somebody took rules away.
    """

    def __init__(
        self,
        node: Node,
        config: NodeConfig,
        daemon: ContainerdDaemon,
        plugins: Path,
        clock: Clock,
        on_removed: Callable[[], None],
    ) -> None:
        self._ground = node.ground
        self._config = config
        self._daemon = daemon
        self._plugins = plugins
        self._clock = clock
        self._on_removed = on_removed
        self._plan: Plan | None = None
        self._keeper: RuleKeeper | None = None

    def laid(self) -> str:
        """See `Land.laid`."""
        plan = self._ground.laid()
        return plan.pod_cidr if plan is not None else ""

    async def lay(self, pod_cidr: str) -> None:
        """See `Land.lay`."""
        plan = plan_of(self._config, pod_cidr)
        if plan != self._plan:
            await self.close()
        await self._ground.lay(plan)
        if self._keeper is None:
            network = self._ground.network(plan)
            self._keeper = RuleKeeper(network, self._plugins, self._clock, self._on_removed)
            self._keeper.start()
        self._plan = plan

    async def until_seen(self) -> None:
        """See `Land.until_seen`."""
        if not await self._daemon.until_networked():
            raise NetworkFailure("containerd does not take up the pods' network; see its log")

    async def close(self) -> None:
        """See `Land.close`."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await keeper.close()
