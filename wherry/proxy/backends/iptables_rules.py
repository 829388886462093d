"""Rules for iptables from a model: pure text, chain by chain.

The layout is kube-proxy's, so that people who know it find their way: a chain per service port
(SVC), per way in from outside (EXT), per endpoint (SEP). Names carry the cluster's tag, so clusters
on one machine never touch each other's, and nothing of other programs is ever matched.

Beyond kube-proxy: whatever is still addressed to the service range after translation belongs to no
service, and is refused here, so it cannot wander off by the uplink. And an external address takes over
nothing of the cluster's (CVE-2020-8554): ClusterIPs come first, then the node's own servers, and external
addresses inside the services' or pods' range are left out.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wherry.proxy.backends.base import NodeNetwork
from wherry.proxy.model import Endpoint, ServicePort

MASQUERADE_MARK = "0x4000"

_CANARY_RULE = "-j RETURN"

Chains = dict[str, list[str]]
"""Chain name -> its rules, each without the leading `-A <chain>`."""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The wanted state of our part of both tables.

    `jumps` are the rules in the built-in chains that lead to ours: (built-in chain, rule).
    """

    nat: Chains
    filter: Chains
    nat_jumps: tuple[tuple[str, str], ...]
    filter_jumps: tuple[tuple[str, str], ...]


def chain_prefix(network: NodeNetwork) -> str:
    """What every chain of this cluster begins with (a chain's name has at most 28 characters)."""
    return f"WHR{network.tag}-"


def canary_name(network: NodeNetwork) -> str:
    """The chain in each table that shows whether others have flushed it."""
    return f"{chain_prefix(network)}CANARY"


def render(model: Sequence[ServicePort], network: NodeNetwork) -> Ruleset:
    """The rules for `model` on this node."""
    renderer = _Renderer(network)
    for port in model:
        renderer.add(port)
    return renderer.finish()


class _Renderer:
    def __init__(self, network: NodeNetwork) -> None:
        self._network = network
        prefix = chain_prefix(network)
        self._prefix = prefix
        self._services, self._nodeports = f"{prefix}SERVICES", f"{prefix}NODEPORTS"
        self._mark, self._postrouting = f"{prefix}MARK", f"{prefix}POSTROUTING"
        self._refuse, self._forward, self._guard = f"{prefix}REFUSE", f"{prefix}FORWARD", f"{prefix}GUARD"
        self._external: list[str] = []
        """Rules of the services chain that come after those of all ClusterIPs."""
        self._ranges = [ipaddress.ip_network(cidr) for cidr in (network.service_cidr, network.cluster_cidr)]
        canary = canary_name(network)
        self._nat: Chains = {
            canary: [_CANARY_RULE],
            self._services: [],
            self._nodeports: [],
            self._mark: [f"-j MARK --or-mark {MASQUERADE_MARK}"],
            self._postrouting: self._postrouting_rules(),
        }
        self._filter: Chains = {
            canary: [_CANARY_RULE],
            self._refuse: [],
            # Packets that belong to no connection any more would reach a client untranslated.
            self._forward: ["-m conntrack --ctstate INVALID -j DROP"],
            self._guard: [
                "! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
            ],
        }

    def add(self, port: ServicePort) -> None:
        """The rules of one service port."""
        match_cluster = _match(port, port.cluster_ip)
        if port.internal:
            kind = "SVC" if port.internal == port.cluster else "SVI"
            service = self._service_chain(kind, port, port.internal)
            # Clients that are no pods are masqueraded, else the answer would not come back here.
            self._nat[service].insert(0, f"{match_cluster} ! -s {self._network.cluster_cidr} -j {self._mark}")
            self._nat[self._services].append(f"{match_cluster} -j {service}")
        else:
            self._filter[self._refuse].append(f"{match_cluster} -j REJECT")
        if not port.is_external:
            return
        target = self._external_chain(port) if port.external or port.cluster else ""
        for rules, refusals in self._entries(port, target):
            self._external.extend(rules)
            self._filter[self._refuse].extend(refusals)
        if port.node_port:
            match_node = f"-p {port.protocol.lower()} --dport {port.node_port}"
            if target:
                self._nat[self._nodeports].append(f"{match_node} -j {target}")
            else:
                local = "-m addrtype --dst-type LOCAL"
                self._filter[self._refuse].append(f"{local} {match_node} -j REJECT")

    def finish(self) -> Ruleset:
        """Everything, with the rules that must come last."""
        services = self._nat[self._services]
        if self._network.server_ports:
            ports = ",".join(map(str, self._network.server_ports))
            servers = f"-p tcp -m addrtype --dst-type LOCAL -m multiport --dports {ports}"
            services.append(f"{servers} -j ACCEPT")  # ends the table: no external address, no host port
            self._filter[self._refuse].insert(0, f"{servers} -j RETURN")
        services.extend(self._external)
        services.append(f"-m addrtype --dst-type LOCAL -j {self._nodeports}")
        self._filter[self._refuse].append(f"-d {self._network.service_cidr} -j REJECT")
        new = "-m conntrack --ctstate NEW"
        return Ruleset(
            nat=self._nat,
            filter=self._filter,
            nat_jumps=(
                ("PREROUTING", f"-j {self._services}"),
                ("OUTPUT", f"-j {self._services}"),
                ("POSTROUTING", f"-j {self._postrouting}"),
            ),
            filter_jumps=(
                ("INPUT", f"-j {self._guard}"),
                ("INPUT", f"{new} -j {self._refuse}"),
                ("OUTPUT", f"{new} -j {self._refuse}"),
                ("FORWARD", f"{new} -j {self._refuse}"),
                ("FORWARD", f"-j {self._forward}"),
            ),
        )

    def _entries(self, port: ServicePort, target: str) -> Iterator[tuple[list[str], list[str]]]:
        """(nat rules, refusals) per external address."""
        for address in self._foreign(port.external_ips):
            match = _match(port, address)
            yield ([f"{match} -j {target}"], []) if target else ([], [f"{match} -j REJECT"])
        for address in self._foreign(port.load_balancer_ips):
            match = _match(port, address)
            if not target:
                yield [], [f"{match} -j REJECT"]
            elif port.source_ranges:
                # Whoever is in no range is not translated, and refused further down.
                allowed = [f"{match} -s {source} -j {target}" for source in port.source_ranges]
                yield allowed, [f"{match} -j REJECT"]
            else:
                yield [f"{match} -j {target}"], []

    def _foreign(self, addresses: Sequence[str]) -> Iterator[str]:
        """The addresses that are none of the cluster's own."""
        for address in addresses:
            if not any(ipaddress.ip_address(address) in network for network in self._ranges):
                yield address

    def _external_chain(self, port: ServicePort) -> str:
        name = self._chain_name("EXT", port.name, port.protocol)
        cluster = self._service_chain("SVC", port, port.cluster)
        if not port.external_local:
            self._nat[name] = [f"-j {self._mark}", f"-j {cluster}"]
            return name
        local = "-m addrtype --src-type LOCAL"
        rules = [
            f"-s {self._network.cluster_cidr} -j {cluster}",  # pods may take the short way
            f"{local} -j {self._mark}",
            f"{local} -j {cluster}",
        ]
        if port.external:
            rules.append(f"-j {self._service_chain('SVL', port, port.external)}")
        self._nat[name] = rules
        return name

    def _service_chain(self, kind: str, port: ServicePort, endpoints: Sequence[Endpoint]) -> str:
        """The chain that spreads traffic over the endpoints, each with the same probability."""
        name = self._chain_name(kind, port.name, port.protocol)
        if name in self._nat:
            return name
        targets = [(self._endpoint_chain(port, endpoint), endpoint) for endpoint in endpoints]
        rules = []
        if port.affinity_s:
            rules += [
                f"-m recent --name {target} --rcheck --seconds {port.affinity_s} --reap -j {target}"
                for target, _ in targets
            ]
        for index, (target, _) in enumerate(targets):
            left = len(targets) - index
            chance = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
            rules.append(f"{chance}-j {target}")
        self._nat[name] = rules
        return name

    def _endpoint_chain(self, port: ServicePort, endpoint: Endpoint) -> str:
        goal = f"{endpoint.ip}:{endpoint.port}"
        name = self._chain_name("SEP", port.name, port.protocol, goal)
        if name not in self._nat:
            sticky = f"-m recent --name {name} --set " if port.affinity_s else ""
            self._nat[name] = [
                f"-s {endpoint.ip}/32 -j {self._mark}",  # a pod that reaches itself
                f"-p {port.protocol.lower()} {sticky}-j DNAT --to-destination {goal}",
            ]
        return name

    def _chain_name(self, kind: str, *parts: str) -> str:
        digest = base64.b32encode(hashlib.sha256("\0".join(parts).encode()).digest()).decode()
        return f"{self._prefix}{kind}-{digest[:14]}"

    def _postrouting_rules(self) -> list[str]:
        marked = f"--mark {MASQUERADE_MARK}/{MASQUERADE_MARK}"
        return [
            f"-m mark ! {marked} -j RETURN",
            f"-j MARK --xor-mark {MASQUERADE_MARK}",  # or it would be masqueraded again in a tunnel
            "-j MASQUERADE --random-fully",
        ]


def _match(port: ServicePort, address: str) -> str:
    return f"-d {address}/32 -p {port.protocol.lower()} --dport {port.port}"


def restore_text(
    wanted: Mapping[str, Chains],
    present: Mapping[str, Chains],
    missing_jumps: Sequence[tuple[str, str, str]],
) -> str:
    """Input for `iptables-restore --noflush` that turns `present` into `wanted`.

    Both map a table to its chains; `missing_jumps` are (table, built-in chain, rule).
    Only chains that differ are written; with nothing to change the text is empty.
    """
    lines: list[str] = []
    for table, chains in wanted.items():
        known = present.get(table) or {}
        changed = [name for name, rules in chains.items() if known.get(name) != rules]
        stale = [name for name in known if name not in chains]
        jumps = [(chain, rule) for where, chain, rule in missing_jumps if where == table]
        if not changed and not stale and not jumps:
            continue
        lines.append(f"*{table}")
        lines += [f":{name} - [0:0]" for name in (*changed, *stale)]  # made, or emptied
        lines += [f"-A {name} {rule}" for name in changed for rule in chains[name]]
        # Inserted in reverse, so that they end up in the order they were given.
        lines += [f"-I {chain} {rule}" for chain, rule in reversed(jumps)]
        lines += [f"-X {name}" for name in stale]
        lines.append("COMMIT")
    return "".join(f"{line}\n" for line in lines)
