"""The machine's side of one node's pod network, laid and taken up as a whole: bridge, routes, rules, CNI.

What was laid is written down before anything of it is made, so that it is taken up whoever was killed
meanwhile, and laid again at the next start before the API server says anything.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from wherry.kit.trees import remove_tree
from wherry.network.bridge import Bridge, remove_bridge, remove_refusals
from wherry.network.cni import PodNetwork, addresses_of, write_conflist
from wherry.network.rules import forget_results, install_rules, remove_rules

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a node's network is laid for.

    `pod_cidr` is the node's part of `cluster_cidr`. `server_address`, where pods reach the API server, is
    this machine's ("" where it is another's), and so is
    `dns_address`, where the node answers questions for names. `server_ports` are the cluster's own TCP ports
    here.
    """

    pod_cidr: str
    cluster_cidr: str
    service_cidr: str
    server_address: str = ""
    dns_address: str = ""
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
        return addresses_of(self.name, self.data_dir)

    @property
    def data_dir(self) -> Path:
        """Where the addresses of pods are written down."""
        return self.directory / "addresses"

    def laid(self) -> Plan | None:
        """What was laid last, None before the first time, or when that cannot be read. Raises OSError."""
        try:
            found = json.loads(self.record.read_text())
            return Plan(**{**found, "server_ports": tuple(found["server_ports"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, LookupError) as error:
            log.warning("%s is damaged, what was laid is found by its names: %r", self.record, error)
            return None

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
        if self.record.exists() and (known is None or _ranges(known) != _ranges(plan)):
            await self.take_up()
        self.note(plan)
        network = self.network(plan)
        await asyncio.gather(self._bridge(plan).ensure(), install_rules(network))
        write_conflist(network)

    def note(self, plan: Plan) -> None:
        """Write down what is laid."""
        self.record.parent.mkdir(parents=True, exist_ok=True)
        partial = self.record.with_suffix(".partial")
        with partial.open("w") as file:
            json.dump(asdict(plan), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.record)

    async def take_up(self, *, is_record_lost: bool = False) -> None:
        """Take away everything that was laid: by its names alone where `is_record_lost`.

        Raises NetworkFailure, OSError.
        """
        if not self.record.exists() and not is_record_lost:
            return
        plan = self.laid()
        await remove_bridge(self.bridge)
        await remove_refusals(self.last_metric, None if plan is None else _ranges(plan))
        await remove_rules(self)
        await asyncio.to_thread(self._forget)

    def _forget(self) -> None:
        forget_results(self)
        for directory in (self.conf_dir, self.data_dir):
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
            dns_address=plan.dns_address,
        )


def _ranges(plan: Plan) -> tuple[str, str, str]:
    return plan.pod_cidr, plan.cluster_cidr, plan.service_cidr
