"""Rules for nftables from a model: pure words, object by object.

The layout is kube-proxy's (pkg/proxy/nftables), in a table of the node's own: maps lead from an address,
protocol and port to the chain of a Service's port, so that the first packet of a connection costs the same
whatever the number of Services. Where it differs: a chain per endpoint is made only where clients stick to
one, and pods that reach themselves are told by a set (`hairpins`), not by a rule per endpoint. There are
fewer chains by that, and `nft` reads all of them whenever it changes one.

As in `iptables_rules`, an external address takes over nothing of the cluster's (CVE-2020-8554): ClusterIPs
come first, then the node's own servers, and external addresses inside the services' or pods' range are
left out.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from wherry.proxy.backends.base import NodeNetwork, foreign, is_answered_here
from wherry.proxy.model import Endpoint, Ports, Refusal, ServicePort

MASQUERADE_MARK = "0x4000"
FEW = 16
"""Up to so many endpoints a packet tries one after the other; more are looked up at once, by a map."""
LONGEST_NAME = 120
"""nft shows names up to 128 bytes."""

CANARY = "canary"
"""A chain that leads nowhere: it is looked at to see whether others have flushed the table."""
CLUSTER_IPS, HAIRPINS, OWN_NAMES = "cluster-ips", "hairpins", "own-names"
SERVICE_IPS, EXTERNAL_IPS, NODEPORTS = "service-ips", "external-ips", "service-nodeports"
REFUSED_IPS, REFUSED_NODEPORTS = "refused-ips", "refused-nodeports"
MARK, REJECT, REFUSALS = "mark-for-masquerade", "reject-it", "refusals"

Chains = dict[str, tuple[str, ...]]
"""Chain name -> its rules."""

_IP_PORT = "type ipv4_addr . inet_proto . inet_service"
_PORT = "type inet_proto . inet_service"
_BY_IP_PORT = "ip daddr . meta l4proto . th dport vmap"
_BY_NODEPORT = "fib daddr type local meta l4proto . th dport vmap"
_LOOPBACK = "127.0.0.0/8"
_NOT_ANSWERED = "ct state & (established | related) == 0"
_VERDICTS: dict[Refusal, str] = {"reject": f"goto {REJECT}", "drop": "drop"}


@dataclass(frozen=True, slots=True)
class Declared:
    """A set, map or base chain: how it is declared. `kind` is `set`, `map` or `chain`."""

    kind: str
    text: str


SHARED = {
    CLUSTER_IPS: Declared("set", 'type ipv4_addr ; comment "ClusterIPs that are in use" ;'),
    HAIRPINS: Declared("set", 'type ipv4_addr . ipv4_addr ; comment "endpoints that reach themselves" ;'),
    OWN_NAMES: Declared("set", 'type ipv4_addr ; comment "where the node answers for names" ;'),
    SERVICE_IPS: Declared("map", f'{_IP_PORT} : verdict ; comment "ClusterIPs" ;'),
    EXTERNAL_IPS: Declared("map", f'{_IP_PORT} : verdict ; comment "IPs from outside" ;'),
    NODEPORTS: Declared("map", f'{_PORT} : verdict ; comment "node ports" ;'),
    REFUSED_IPS: Declared("map", f'{_IP_PORT} : verdict ; comment "traffic nobody gets" ;'),
    REFUSED_NODEPORTS: Declared("map", f'{_PORT} : verdict ; comment "traffic nobody gets" ;'),
}
"""What all Services share."""

BASE = {
    "nat-prerouting": Declared("chain", "type nat hook prerouting priority dstnat ;"),
    "nat-output": Declared("chain", "type nat hook output priority -100 ;"),
    "nat-postrouting": Declared("chain", "type nat hook postrouting priority srcnat ;"),
    "filter-input": Declared("chain", "type filter hook input priority filter ;"),
    "filter-forward": Declared("chain", "type filter hook forward priority filter ;"),
    "filter-output": Declared("chain", "type filter hook output priority filter ;"),
    "raw-prerouting": Declared("chain", "type filter hook prerouting priority raw ;"),
    "raw-output": Declared("chain", "type filter hook output priority raw ;"),
}
"""The chains packets come in by."""


@dataclass(slots=True)
class Part:
    """What one Service has: chains, the sets of clients that stick, and elements of what all share."""

    chains: Chains = field(default_factory=dict)
    sets: dict[str, Declared] = field(default_factory=dict)
    elements: dict[tuple[str, str], str] = field(default_factory=dict)
    """(set or map, key) -> verdict, "" in a set."""


def table_name(network: NodeNetwork) -> str:
    """The table of this node's rules, which no other node of the machine has."""
    return f"wherry-{network.tag.lower()}"


def render_node(network: NodeNetwork) -> Chains:
    """The chains that are there whatever the Services."""
    servers = ""
    if network.server_ports:
        ports = ", ".join(map(str, network.server_ports))
        servers = f"fib daddr type local tcp dport {{ {ports} }} return"
    own = [servers] if servers else []
    return {
        CANARY: ("return",),
        MARK: (f"meta mark set mark or {MASQUERADE_MARK}",),
        REJECT: ("reject",),
        "services": (
            # Clients that are no pods are masqueraded, else the answer would not come back here.
            f"ip saddr != {network.cluster_cidr} ip daddr @{CLUSTER_IPS} jump {MARK}",
            f"{_BY_IP_PORT} @{SERVICE_IPS}",
            *own,
            f"{_BY_IP_PORT} @{EXTERNAL_IPS}",
            f"{_BY_NODEPORT} @{NODEPORTS}",
        ),
        "masquerading": (
            f"ip saddr . ip daddr @{HAIRPINS} masquerade fully-random",
            f"mark and {MASQUERADE_MARK} == 0 return",
            # Or it would be masqueraded again in a tunnel.
            f"mark set mark xor {MASQUERADE_MARK}",
            "masquerade fully-random",
        ),
        REFUSALS: (
            *own,
            f"ip daddr @{OWN_NAMES} return",
            f"{_BY_IP_PORT} @{REFUSED_IPS}",
            f"{_BY_NODEPORT} @{REFUSED_NODEPORTS}",
            f"ip daddr @{CLUSTER_IPS} goto {REJECT}",
            # Whatever belongs to no Service must not wander off by the uplink. Refused, where kube-proxy
            # drops it: who calls a Service that is gone hears so at once.
            f"ip daddr {network.service_cidr} goto {REJECT}",
        ),
        "nat-prerouting": ("jump services",),
        "nat-output": ("jump services",),
        "nat-postrouting": ("jump masquerading",),
        "filter-input": (
            # Only the machine itself may send to its loopback addresses (CVE-2020-8558).
            f"ip saddr != {_LOOPBACK} ip daddr {_LOOPBACK} {_NOT_ANSWERED} ct status & dnat == 0 drop",
            f"ct state new jump {REFUSALS}",
        ),
        "filter-forward": (
            f"ct state new jump {REFUSALS}",
            # Packets that belong to no connection any more would reach a client untranslated.
            "ct state invalid drop",
        ),
        "filter-output": (f"ct state new jump {REFUSALS}",),
        # Two questions from one port, as C libraries ask them, get in each other's way when connections are
        # tracked: one is lost, and asked again after five seconds.
        "raw-prerouting": (f"ip daddr @{OWN_NAMES} udp dport 53 notrack",),
        "raw-output": (f"ip saddr @{OWN_NAMES} udp sport 53 notrack",),
    }


def render_part(ports: Ports, network: NodeNetwork) -> Part:
    """What one Service has."""
    rendering = _Rendering(network)
    for port in ports:
        rendering.add(port)
    return rendering.part


class _Rendering:
    def __init__(self, network: NodeNetwork) -> None:
        self._network = network
        self.part = Part()

    def add(self, port: ServicePort) -> None:
        """What one port of the Service has."""
        if is_answered_here(port, self._network):
            self.part.elements[OWN_NAMES, port.cluster_ip] = ""
            return
        elements = self.part.elements
        elements[CLUSTER_IPS, port.cluster_ip] = ""
        at_cluster_ip = _key(port.cluster_ip, port)
        if port.internal:
            kind = "service" if port.internal == port.cluster else "service-here"
            elements[SERVICE_IPS, at_cluster_ip] = f"goto {self._service_chain(kind, port, port.internal)}"
        else:
            elements[REFUSED_IPS, at_cluster_ip] = _VERDICTS[port.refusal_inside]
        if port.is_external:
            self._add_external(port)

    def _add_external(self, port: ServicePort) -> None:
        target = f"goto {self._external_chain(port)}" if port.cluster or port.external else ""
        refusal = port.refusal_outside
        for address in foreign(port.external_ips, self._network):
            self._way_in(EXTERNAL_IPS, REFUSED_IPS, _key(address, port), target, refusal)
        for address in foreign(port.load_balancer_ips, self._network):
            key = _key(address, port)
            if port.source_ranges and target:
                # Whoever is in no range is not translated, and dropped further down.
                firewall = f"goto {self._firewall_chain(port, address, target)}"
                self._way_in(EXTERNAL_IPS, REFUSED_IPS, key, firewall, "drop")
            else:
                self._way_in(EXTERNAL_IPS, REFUSED_IPS, key, target, refusal)
        if port.node_port:
            key = f"{port.protocol.lower()} . {port.node_port}"
            self._way_in(NODEPORTS, REFUSED_NODEPORTS, key, target, refusal)

    def _way_in(self, ways: str, refusals: str, key: str, target: str, refusal: Refusal) -> None:
        if target:
            self.part.elements[ways, key] = target
        if refusal:
            self.part.elements[refusals, key] = _VERDICTS[refusal]

    def _firewall_chain(self, port: ServicePort, address: str, target: str) -> str:
        # A node whose own the address is comes from it.
        sources = (*port.source_ranges, address)
        return self._chain(
            _name("firewall", port, address), tuple(f"ip saddr {source} {target}" for source in sources)
        )

    def _external_chain(self, port: ServicePort) -> str:
        cluster = self._service_chain("service", port, port.cluster)
        rules = [f"jump {MARK}", f"goto {cluster}"]
        if port.external_local:
            rules = [
                f"ip saddr {self._network.cluster_cidr} goto {cluster}",  # pods may take the short way
                f"fib saddr type local jump {MARK}",
                f"fib saddr type local goto {cluster}",
            ]
            if port.external:
                rules.append(f"goto {self._service_chain('service-here', port, port.external)}")
        return self._chain(_name("external", port), tuple(rules))

    def _service_chain(self, kind: str, port: ServicePort, endpoints: Sequence[Endpoint]) -> str:
        """The chain that spreads traffic over the endpoints, each with the same probability."""
        name = _name(kind, port)
        if name in self.part.chains:
            return name
        for endpoint in endpoints:
            if endpoint.may_be_local:
                self.part.elements[HAIRPINS, f"{endpoint.ip} . {endpoint.ip}"] = ""
        if port.affinity_s:
            return self._chain(name, self._sticking(port, endpoints))
        proto = f"meta l4proto {port.protocol.lower()}"
        if len(endpoints) > FEW:
            goals = ", ".join(f"{i} : {goal.ip} . {goal.port}" for i, goal in enumerate(endpoints))
            chosen = f"numgen random mod {len(endpoints)} map {{ {goals} }}"
            return self._chain(name, (f"{proto} dnat ip addr . port to {chosen}",))
        rules = [f"dnat to {endpoint.ip}:{endpoint.port}" for endpoint in endpoints]
        return self._chain(name, tuple(f"{proto} {rule}" for rule in _by_chance(rules)))

    def _sticking(self, port: ServicePort, endpoints: Sequence[Endpoint]) -> tuple[str, ...]:
        """The rules by which each client goes to the endpoint it went to before."""
        known, chances = [], []
        for endpoint in endpoints:
            goal = f"{endpoint.ip}:{endpoint.port}"
            clients = _name("affinity", port, goal, str(port.affinity_s))
            self.part.sets[clients] = Declared(
                "set", f"type ipv4_addr ; flags dynamic,timeout ; timeout {port.affinity_s}s ;"
            )
            chain = self._chain(
                _name("endpoint", port, goal),
                (
                    f"update @{clients} {{ ip saddr }}",
                    f"meta l4proto {port.protocol.lower()} dnat to {goal}",
                ),
            )
            known.append(f"ip saddr @{clients} goto {chain}")
            chances.append(f"goto {chain}")
        if len(chances) > FEW:
            verdicts = ", ".join(f"{index} : {chance}" for index, chance in enumerate(chances))
            return (*known, f"numgen random mod {len(chances)} vmap {{ {verdicts} }}")
        return (*known, *_by_chance(chances))

    def _chain(self, name: str, rules: tuple[str, ...]) -> str:
        self.part.chains[name] = rules
        return name


def _by_chance(actions: Sequence[str]) -> list[str]:
    """Rules one after the other, of which each is taken with the same probability."""
    left = range(len(actions), 0, -1)
    return [
        f"numgen random mod {number} == 0 {action}" if number > 1 else action
        for number, action in zip(left, actions, strict=True)
    ]


def _key(address: str, port: ServicePort) -> str:
    return f"{address} . {port.protocol.lower()} . {port.port}"


def _name(kind: str, port: ServicePort, *more: str) -> str:
    """The name of a chain or set: told apart by a digest, and to be read by people."""
    digest = hashlib.sha256("\0".join((port.name, port.protocol, *more)).encode()).digest()
    words = re.sub(r"[^-a-z0-9/.]", "_", f"{port.name}/{port.protocol}/{'/'.join(more)}".lower())
    return f"{kind}-{base64.b32encode(digest).decode()[:13]}-{words}"[:LONGEST_NAME].rstrip("/")
