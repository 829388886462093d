"""The machine's side of one node's pod network, laid and taken up as a whole: bridge, routes, rules, CNI.

What was laid is written down before anything of it is made, so that it is taken up whoever was killed
meanwhile, and laid again at the next start before the API server says anything.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from wherry.kit.trees import remove_tree
from wherry.network.bridge import Bridge
from wherry.network.cni import PodNetwork, addresses_of, write_conflist
from wherry.network.rules import forget_results, install_rules, remove_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a node's network is laid for.

    `pod_cidr` is the node's part of `cluster_cidr`. `server_address`, where pods reach the API server, is
    this machine's ("" where it is another's); `server_ports` are the cluster's own TCP ports here.
    """

    pod_cidr: str
    cluster_cidr: str
    service_cidr: str
    server_address: str = ""
    server_ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where a node's network is laid, by names no other node of the machine has.

    `name` is the CNI network's, `metric` and `last_metric` are its routes' (see `Bridge`); its files lie in
    `directory`. `record` is where the plan is kept.
    """

    name: str
    bridge: str
    metric: int
    last_metric: int
    directory: Path
    record: Path

    @property
    def conf_dir(self) -> Path:
        """Where containerd looks for the network's configuration."""
        return self.directory / "net.d"

    @property
    def addresses(self) -> Path:
        """A file per address given out."""
        return addresses_of(self.name, self.directory / "addresses")

    def laid(self) -> Plan | None:
        """What was laid last, None before the first time. Raises OSError, ValueError."""
        try:
            found = json.loads(self.record.read_text())
        except FileNotFoundError:
            return None
        return Plan(**{**found, "server_ports": tuple(found["server_ports"])})

    def network(self, plan: Plan) -> PodNetwork:
        """The pod network `plan` asks for."""
        return PodNetwork.of(
            self.name,
            self.bridge,
            plan.pod_cidr,
            self.directory,
            cluster_cidr=plan.cluster_cidr,
            server_ports=plan.server_ports,
        )

    async def lay(self, plan: Plan) -> None:
        """Have the network be what `plan` says; harmless when it is. Raises NetworkFailure, OSError.

        With another range than before, what was made for the former goes first; its pods must have ended.
        """
        known = self.laid()
        if known is not None and known != plan and self._moves(known, plan):
            await self.take_up()
        self.note(plan)
        network = self.network(plan)
        await asyncio.gather(self._bridge(plan).ensure(), install_rules(network))
        write_conflist(network)

    def note(self, plan: Plan) -> None:
        """Write down what is laid."""
        self.record.parent.mkdir(parents=True, exist_ok=True)
        partial = self.record.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(plan)))
        partial.replace(self.record)

    async def take_up(self) -> None:
        """Take away everything that was laid. Raises NetworkFailure, OSError."""
        plan = self.laid()
        if plan is None:
            return
        network = self.network(plan)
        await self._bridge(plan).remove()
        await remove_rules(network)
        await asyncio.to_thread(self._forget, network)

    @staticmethod
    def _moves(known: Plan, plan: Plan) -> bool:
        ranges = (known.pod_cidr, known.cluster_cidr, known.service_cidr)
        return ranges != (plan.pod_cidr, plan.cluster_cidr, plan.service_cidr)

    def _forget(self, network: PodNetwork) -> None:
        forget_results(network)
        for directory in (network.conf_dir, network.data_dir):
            remove_tree(directory)

    def _bridge(self, plan: Plan) -> Bridge:
        return Bridge(
            name=self.bridge,
            pod_cidr=plan.pod_cidr,
            cluster_cidr=plan.cluster_cidr,
            service_cidr=plan.service_cidr,
            metric=self.metric,
            last_metric=self.last_metric,
            server_address=plan.server_address,
        )
