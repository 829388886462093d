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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wherry.proxy.backends.base import NodeNetwork, foreign, is_answered_here
from wherry.proxy.model import Endpoint, Model, Ports, Refusal, ServicePort

MASQUERADE_MARK = "0x4000"

_CANARY_RULE = "-j RETURN"
_TARGETS: dict[Refusal, str] = {"": "", "reject": "-j REJECT", "drop": "-j DROP"}

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


@dataclass(slots=True)
class Part:
    """What one Service has in the rules: chains of its own, and lines of the chains all share."""

    nat: Chains = field(default_factory=dict)
    inside: list[str] = field(default_factory=list)
    """Of the services chain: those of ClusterIPs, and after those of all Services those from outside."""
    outside: list[str] = field(default_factory=list)
    nodeports: list[str] = field(default_factory=list)
    refuse: list[str] = field(default_factory=list)


def render(model: Model, network: NodeNetwork) -> Ruleset:
    """The rules for `model` on this node."""
    return assemble([render_part(model[key], network) for key in sorted(model)], network)


def render_part(ports: Ports, network: NodeNetwork) -> Part:
    """What one Service has."""
    part = _PartRenderer(network)
    for port in ports:
        part.add(port)
    return part.part


def assemble(parts: Sequence[Part], network: NodeNetwork) -> Ruleset:
    """All rules: those of the node, and those of every Service in the order given."""
    names = _Names(network)
    refuse = [line for part in parts for line in part.refuse]
    services = [line for part in parts for line in part.inside]
    if network.server_ports:
        ports = ",".join(map(str, network.server_ports))
        servers = f"-p tcp -m addrtype --dst-type LOCAL -m multiport --dports {ports}"
        services.append(f"{servers} -j ACCEPT")  # ends the table: no external address, no host port
        refuse.insert(0, f"{servers} -j RETURN")
    for address in network.own_ips:
        refuse.insert(0, f"-d {address}/32 -j RETURN")
    services += [line for part in parts for line in part.outside]
    services.append(f"-m addrtype --dst-type LOCAL -j {names.nodeports}")
    refuse.append(f"-d {network.service_cidr} -j REJECT")
    nat: Chains = {
        names.canary: [_CANARY_RULE],
        names.services: services,
        names.nodeports: [line for part in parts for line in part.nodeports],
        names.mark: [f"-j MARK --or-mark {MASQUERADE_MARK}"],
        names.postrouting: _postrouting_rules(),
    }
    for part in parts:
        nat |= part.nat
    new = "-m conntrack --ctstate NEW"
    return Ruleset(
        nat=nat,
        filter={
            names.canary: [_CANARY_RULE],
            names.refuse: refuse,
            # Packets that belong to no connection any more would reach a client untranslated.
            names.forward: ["-m conntrack --ctstate INVALID -j DROP"],
            names.guard: [
                "! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
            ],
        },
        nat_jumps=(
            ("PREROUTING", f"-j {names.services}"),
            ("OUTPUT", f"-j {names.services}"),
            ("POSTROUTING", f"-j {names.postrouting}"),
        ),
        filter_jumps=(
            ("INPUT", f"-j {names.guard}"),
            ("INPUT", f"{new} -j {names.refuse}"),
            ("OUTPUT", f"{new} -j {names.refuse}"),
            ("FORWARD", f"{new} -j {names.refuse}"),
            ("FORWARD", f"-j {names.forward}"),
        ),
    )


class _Names:
    """The chains all Services share."""

    def __init__(self, network: NodeNetwork) -> None:
        prefix = chain_prefix(network)
        self.prefix = prefix
        self.canary = canary_name(network)
        self.services, self.nodeports = f"{prefix}SERVICES", f"{prefix}NODEPORTS"
        self.mark, self.postrouting = f"{prefix}MARK", f"{prefix}POSTROUTING"
        self.refuse, self.forward, self.guard = f"{prefix}REFUSE", f"{prefix}FORWARD", f"{prefix}GUARD"


class _PartRenderer:
    def __init__(self, network: NodeNetwork) -> None:
        self._network = network
        self._names = _Names(network)
        self.part = Part()

    def add(self, port: ServicePort) -> None:
        """The rules of one service port."""
        if is_answered_here(port, self._network):
            return
        part, mark = self.part, self._names.mark
        match_cluster = _match(port, port.cluster_ip)
        if port.internal:
            kind = "SVC" if port.internal == port.cluster else "SVI"
            service = self._service_chain(kind, port, port.internal)
            # Clients that are no pods are masqueraded, else the answer would not come back here.
            part.nat[service].insert(0, f"{match_cluster} ! -s {self._network.cluster_cidr} -j {mark}")
            part.inside.append(f"{match_cluster} -j {service}")
        else:
            part.refuse.append(f"{match_cluster} {_TARGETS[port.refusal_inside]}")
        if not port.is_external:
            return
        target = self._external_chain(port) if port.cluster or port.external else ""
        refusal = _TARGETS[port.refusal_outside]
        for address in foreign(port.external_ips, self._network):
            self._way_in(f"{_match(port, address)}", target, refusal)
        for address in foreign(port.load_balancer_ips, self._network):
            match = _match(port, address)
            if not port.source_ranges or not target:
                self._way_in(match, target, refusal)
                continue
            # Whoever is in no range is not translated, and dropped further down. A node whose own the
            # address is comes from it.
            for source in (*port.source_ranges, f"{address}/32"):
                part.outside.append(f"{match} -s {source} -j {target}")
            part.refuse.append(f"{match} -j DROP")
        if port.node_port:
            match = f"-p {port.protocol.lower()} --dport {port.node_port}"
            if target:
                part.nodeports.append(f"{match} -j {target}")
            if refusal:
                part.refuse.append(f"-m addrtype --dst-type LOCAL {match} {refusal}")

    def _way_in(self, match: str, target: str, refusal: str) -> None:
        if target:
            self.part.outside.append(f"{match} -j {target}")
        if refusal:
            self.part.refuse.append(f"{match} {refusal}")

    def _external_chain(self, port: ServicePort) -> str:
        name = self._chain_name("EXT", port.name, port.protocol)
        cluster = self._service_chain("SVC", port, port.cluster)
        if not port.external_local:
            self.part.nat[name] = [f"-j {self._names.mark}", f"-j {cluster}"]
            return name
        local = "-m addrtype --src-type LOCAL"
        rules = [
            f"-s {self._network.cluster_cidr} -j {cluster}",  # pods may take the short way
            f"{local} -j {self._names.mark}",
            f"{local} -j {cluster}",
        ]
        if port.external:
            rules.append(f"-j {self._service_chain('SVL', port, port.external)}")
        self.part.nat[name] = rules
        return name

    def _service_chain(self, kind: str, port: ServicePort, endpoints: Sequence[Endpoint]) -> str:
        """The chain that spreads traffic over the endpoints, each with the same probability."""
        name = self._chain_name(kind, port.name, port.protocol)
        if name in self.part.nat:
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
        self.part.nat[name] = rules
        return name

    def _endpoint_chain(self, port: ServicePort, endpoint: Endpoint) -> str:
        goal = f"{endpoint.ip}:{endpoint.port}"
        name = self._chain_name("SEP", port.name, port.protocol, goal)
        if name not in self.part.nat:
            sticky = f"-m recent --name {name} --set " if port.affinity_s else ""
            self.part.nat[name] = [
                f"-s {endpoint.ip}/32 -j {self._names.mark}",  # a pod that reaches itself
                f"-p {port.protocol.lower()} {sticky}-j DNAT --to-destination {goal}",
            ]
        return name

    def _chain_name(self, kind: str, *parts: str) -> str:
        digest = base64.b32encode(hashlib.sha256("\0".join(parts).encode()).digest()).decode()
        return f"{self._names.prefix}{kind}-{digest[:14]}"


def _postrouting_rules() -> list[str]:
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
