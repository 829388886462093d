"""Firewalls that would keep pods from the node or from each other, and that cannot be opened from here.

An `accept` in one base chain does not save a packet from a `drop` in another (nft(8), "chains"): rules of
iptables' own tables open those and nothing else. Whoever keeps tables of their own (firewalld, a hand-written
/etc/nftables.conf) has to let the pods through there; here it is found out who, and told what to do.
`find_droppers` is pure.
"""

from __future__ import annotations

import ipaddress
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.network.cni import PodNetwork
from wherry.network.tool import NetworkFailure, run_tool

HOOKS = ("input", "forward")
FAMILIES = ("ip", "inet", "bridge")
IPTABLES = ("ip", "filter")
"""The table in which our own rules stand (`network/rules`)."""
REFUSALS = ("drop", "reject")
ASIDE = ("counter", "log")
"""Parts of a rule that match nothing and decide nothing."""


@dataclass(frozen=True, slots=True)
class Dropper:
    """A base chain that refuses what it does not know, and does not know the pods."""

    family: str
    table: str
    chain: str
    hook: str

    def advice(self, network: PodNetwork) -> str:
        """What is wrong and what to do, in one line."""
        what = f"nftables chain {self.family} {self.table} {self.chain} ({self.hook}) drops packets of pods"
        if self.table == "firewalld":
            pods = f"--permanent --zone=trusted --add-source={network.pod_cidr}"
            return f"{what}; run: firewall-cmd {pods} && firewall-cmd --reload"
        place = f"{self.family} {self.table} {self.chain}"
        return f"{what}; accept them there, such as: nft insert rule {place} {_accept(self, network)}"


def _accept(dropper: Dropper, network: PodNetwork) -> str:
    return (
        f"iifname {network.bridge} accept"
        if dropper.hook == "input"
        else (f"ip saddr {network.pod_cidr} accept, and the same with daddr")
    )


def find_droppers(ruleset: Mapping[str, Any], network: PodNetwork) -> list[Dropper]:
    """The base chains pods' packets pass that end in a refusal and name neither bridge nor range.

    `ruleset` is what `nft --json list ruleset` says. Whether a rule that names them lets them through is not
    judged: who wrote it thought of them.
    """
    rules: dict[tuple[str, str, str], list[list[Any]]] = {}
    chains: list[Mapping[str, Any]] = []
    sets: dict[tuple[str, str, str], Any] = {}
    for entry in ruleset.get("nftables") or ():
        for kind, item in entry.items():
            if kind == "chain":
                chains.append(item)
            elif kind == "rule":
                rules.setdefault((item["family"], item["table"], item["chain"]), []).append(item["expr"])
            elif kind in ("set", "map"):
                sets[item["family"], item["table"], item["name"]] = item.get("elem")
    found = []
    for chain in chains:
        family, table, name = chain["family"], chain["table"], chain["name"]
        if chain.get("hook") not in HOOKS or family not in FAMILIES or (family, table) == IPTABLES:
            continue
        tree = _Tree(family, table, rules, sets)
        if (chain.get("policy") == "drop" or tree.refuses(name)) and not tree.knows(name, network):
            found.append(Dropper(family, table, name, chain["hook"]))
    return found


@dataclass(frozen=True, slots=True)
class _Tree:
    """The chains of one table."""

    family: str
    table: str
    rules: Mapping[tuple[str, str, str], Sequence[Sequence[Any]]]
    sets: Mapping[tuple[str, str, str], Any]

    def refuses(self, chain: str) -> bool:
        """Whether some rule of the chain, or of one always gone to from it, refuses all that comes to it."""
        seen, waiting = set[str](), [chain]
        while waiting:
            current = waiting.pop()
            seen.add(current)
            for rule in self._of(current):
                told = [part for part in rule if not any(name in part for name in ASIDE)]
                if len(told) != 1:
                    continue
                if any(name in told[0] for name in REFUSALS):
                    return True
                waiting += [target for target in _targets(told[0]) if target not in seen]
        return False

    def knows(self, chain: str, network: PodNetwork) -> bool:
        """Whether bridge or range of the pods are named in what can be reached from the chain."""
        seen, waiting = set[str](), [chain]
        while waiting:
            current = waiting.pop()
            seen.add(current)
            for rule in self._of(current):
                if any(_names(word, network) for word in _words(self._with_sets(rule))):
                    return True
                waiting += [target for target in _targets(rule) if target not in seen]
        return False

    def _of(self, chain: str) -> Sequence[Sequence[Any]]:
        return self.rules.get((self.family, self.table, chain), ())

    def _with_sets(self, rule: Sequence[Any]) -> list[Any]:
        named = [w[1:] for w in _words(rule) if isinstance(w, str) and w.startswith("@")]
        return [*rule, *(self.sets.get((self.family, self.table, name)) for name in named)]


def _targets(part: Any) -> Iterator[str]:
    """The chains a rule, or a part of one, may lead to."""
    for node in _nodes(part):
        if isinstance(node, dict):
            for kind in ("jump", "goto"):
                if isinstance(node.get(kind), dict):
                    yield node[kind]["target"]


def _words(part: Any) -> Iterator[Any]:
    """Every text in a rule, and every `prefix`."""
    for node in _nodes(part):
        if isinstance(node, str) or (isinstance(node, dict) and "prefix" in node):
            yield node


def _nodes(part: Any) -> Iterator[Any]:
    waiting = [part]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, dict):
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _names(word: Any, network: PodNetwork) -> bool:
    """Whether a text or prefix of a rule means the pods' bridge or range."""
    if isinstance(word, str):
        return word == network.bridge or (word.endswith("*") and network.bridge.startswith(word[:-1]))
    try:
        prefix = ipaddress.ip_network(f"{word['prefix']['addr']}/{word['prefix']['len']}", strict=False)
    except (ValueError, TypeError, KeyError):
        return False
    pods = ipaddress.IPv4Network(network.pod_cidr)
    return isinstance(prefix, ipaddress.IPv4Network) and prefix.prefixlen > 0 and pods.subnet_of(prefix)


async def look_for_droppers(network: PodNetwork) -> list[str]:
    """Advice about each firewall that keeps pods off, none where the machine has no `nft`."""
    if shutil.which("nft") is None:
        return []
    try:
        ruleset = json.loads(await run_tool("nft", "--json", "list", "ruleset"))
    except (NetworkFailure, ValueError) as error:
        return [f"whether a firewall drops packets of pods cannot be told: {error}"]
    return [dropper.advice(network) for dropper in find_droppers(ruleset, network)]
