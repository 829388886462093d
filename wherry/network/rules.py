"""The machine's side of a pod network: masquerading, forwarding, and taking it all down again.

What leaves the pods' range gets the machine's address; what comes from or goes to the range may be
forwarded, and pods reach the cluster's own servers on the node, whatever the policies of FORWARD and
INPUT are (ufw and firewalld drop). The rules lie in chains of the cluster's own; `render_rules`,
`plan_jump` and `stale_rules` are pure, the rest calls iptables and ip.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wherry.network.cni import PodNetwork
from wherry.network.tool import ToolRefused, run_tool, tool_fails

CNI_RESULTS = Path("/var/lib/cni/results")
"""Where libcni remembers results; containerd 1.x cannot be told another place."""
DNS_PORT = 53
POD, INPUT = "POD", "IN"
PLACES = (("nat", "POSTROUTING", POD), ("filter", "FORWARD", POD), ("filter", "INPUT", INPUT))
"""Table, built-in chain and kind of each chain of a network."""
NO_SUCH_CHAIN = 1
"""Exit code of `iptables` for a chain or rule that is not there."""
REFUSES_ALL = re.compile(
    r"-A \S+ (-m comment --comment (\"[^\"]*\"|\S+) )?-j (DROP|REJECT|ufw-reject-\S+)( --.*)?"
)
"""A rule after which nothing is looked at any more (or, of ufw's, may be)."""


class Named(Protocol):
    """What has a CNI network's name, which marks all that is its: a network, and the ground it is laid on."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of ours, its rules, and what leads into it from the built-in chain `hook`.

    Rules are worded as `iptables -S` prints them, so that those that stand can be compared.
    """

    table: str
    name: str
    hook: str
    match: str
    rules: tuple[str, ...]

    @property
    def jump(self) -> str:
        """The rule in the built-in chain, as `iptables -S` prints it without `-A <chain>`."""
        return f"{self.match} -j {self.name}".strip()


def chain_name(network: Named, kind: str = POD) -> str:
    """A chain of a network; within iptables' 28 characters."""
    return f"WHERRY-{kind}-" + hashlib.sha256(network.name.encode()).hexdigest()[:8].upper()


def chains(network: PodNetwork) -> tuple[Chain, ...]:
    """Every chain of the network."""
    name, pods = chain_name(network), network.pod_cidr
    inside = network.cluster_cidr or pods
    own = f"-p tcp -m multiport --dports {','.join(map(str, network.server_ports))} -j ACCEPT"
    return (
        Chain(
            "nat",
            name,
            "POSTROUTING",
            f"-s {pods}",
            (f"-d {inside} -j RETURN", "-d 224.0.0.0/4 -j RETURN", f"-s {pods} -j MASQUERADE"),
        ),
        Chain("filter", name, "FORWARD", "", (f"-s {pods} -j ACCEPT", f"-d {pods} -j ACCEPT")),
        Chain(
            "filter",
            chain_name(network, INPUT),
            "INPUT",
            f"-s {pods} -i {network.bridge}",
            (
                "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",  # answers to probes, webhooks
                *([own] if network.server_ports else []),
                f"-p udp -m udp --dport {DNS_PORT} -j ACCEPT",
                f"-p tcp -m tcp --dport {DNS_PORT} -j ACCEPT",
            ),
        ),
    )


def render_rules(network: PodNetwork) -> str:
    """Input for `iptables-restore --noflush` that makes the network's chains anew."""
    lines: list[str] = []
    for table in ("nat", "filter"):
        lines.append(f"*{table}")
        for chain in chains(network):
            if chain.table == table:
                lines.append(f":{chain.name} - [0:0]")
                lines += [f"-A {chain.name} {rule}" for rule in chain.rules]
        lines.append("COMMIT")
    return "\n".join([*lines, ""])


def plan_jump(listing: Sequence[str], jump: str) -> int | None:
    """At which place (from 1) of a built-in chain `jump` must be put; None when it stands well.

    `listing` are the chain's rules as `iptables -S` prints them. The place is the last but for what
    refuses everything: whoever wants to refuse some traffic does so before, a policy does not.
    """
    end = next((i for i, rule in enumerate(listing) if REFUSES_ALL.fullmatch(rule)), len(listing))
    stands = any(_rule_of(line) == jump for line in listing[:end])
    return None if stands else end + 1


def stale_rules(saved: str, network: Named) -> str:
    """Input for `iptables-restore --noflush` that removes what CNI plugins left of the network.

    `saved` is what `iptables-save -t nat` says. portmap marks its rules with the network's name in
    a comment and gives every sandbox a chain. "" when nothing is left.
    """
    # The shell's way of reading lines unquotes the comment, whatever iptables thought of quoting.
    rules = [shlex.split(line) for line in saved.splitlines() if line.startswith("-A ")]
    marked = [rule for rule in rules if any(_names_network(word, network) for word in rule)]
    chains = _unique(rule[rule.index("-j") + 1] for rule in marked if "-j" in rule)
    own = [chain for chain in chains if chain.startswith(("CNI-DN-", "CNI-SN-"))]
    if not marked:
        return ""
    lines = [_restorable(["-D", *rule[1:]]) for rule in marked if rule[1] not in own]
    lines += [f"-F {chain}" for chain in own] + [f"-X {chain}" for chain in own]
    return "\n".join(["*nat", *lines, "COMMIT", ""])


async def install_rules(network: PodNetwork) -> None:
    """Make the network's chains and lead traffic into them; harmless when they are there.

    Raises NetworkFailure.
    """
    await run_tool("iptables-restore", "--wait", "--noflush", stdin=render_rules(network))
    await asyncio.gather(*map(_ensure_jump, chains(network)))


async def _ensure_jump(chain: Chain) -> None:
    """Lead traffic into a chain, from the right place of its built-in one."""
    listing = await _rules(chain.table, chain.hook)
    place = plan_jump(listing, chain.jump)
    if place is None:
        return
    if any(_rule_of(line) == chain.jump for line in listing):  # where nothing reaches it
        await _remove_jumps(chain.table, chain.hook, chain.name)
    where = ["-t", chain.table, "-I", chain.hook, str(place)]
    await run_tool("iptables", "--wait", *where, *chain.jump.split())


async def are_rules_standing(network: PodNetwork) -> bool:
    """Whether what `install_rules` made is still there and reached. Raises NetworkFailure."""
    for chain in chains(network):
        if tuple(map(_rule_of, await _rules(chain.table, chain.name))) != chain.rules:
            return False
        if plan_jump(await _rules(chain.table, chain.hook), chain.jump) is not None:
            return False
    return True


async def remove_rules(network: Named) -> None:
    """Take the chains down, whatever leads into them, and what portmap left of the network.

    Raises NetworkFailure.
    """
    for table, hook, kind in PLACES:
        name = chain_name(network, kind)
        await _remove_jumps(table, hook, name)
        if not await tool_fails("iptables", "--wait", "-t", table, "-F", name):
            await run_tool("iptables", "--wait", "-t", table, "-X", name)
    stale = stale_rules(await run_tool("iptables-save", "-t", "nat"), network)
    if stale:
        await run_tool("iptables-restore", "--wait", "--noflush", stdin=stale)


async def _rules(table: str, chain: str) -> list[str]:
    """The rules of a chain as `iptables -S` prints them, none for a chain that is not there."""
    try:
        listing = await run_tool("iptables", "--wait", "-t", table, "-S", chain)
    except ToolRefused as error:
        if error.code == NO_SUCH_CHAIN:
            return []
        raise
    return [line for line in listing.splitlines() if line.startswith("-A ")]


def _rule_of(line: str) -> str:
    """A rule as `iptables -S` prints it, without the chain it is in."""
    return line.split(" ", 2)[2]


async def _remove_jumps(table: str, hook: str, name: str) -> None:
    """Remove every rule of the built-in chain `hook` that leads into the chain `name`."""
    for line in await _rules(table, hook):
        if line.endswith(f" -j {name}"):
            await run_tool("iptables", "--wait", "-t", table, "-D", *shlex.split(line)[1:])


def forget_results(network: Named, directory: Path = CNI_RESULTS) -> None:
    """Remove what libcni remembers of the network's sandboxes."""
    for file in result_files(network, directory):
        # containerd's own loopback network is remembered beside every pod's.
        sandbox_id = file.name.removeprefix(f"{network.name}-").partition("-")[0]
        for loopback in directory.glob(f"cni-loopback-{sandbox_id}-*"):
            loopback.unlink(missing_ok=True)
        file.unlink(missing_ok=True)


def result_files(network: Named, directory: Path = CNI_RESULTS) -> list[Path]:
    """libcni's results of the network, and not of one whose name begins the same."""
    pattern = re.compile(re.escape(network.name) + "-[0-9a-zA-Z]+-[^-]+")
    return [file for file in directory.glob(f"{network.name}-*") if pattern.fullmatch(file.name)]


def _names_network(word: str, network: Named) -> bool:
    return f'name: "{network.name}"' in word


def _restorable(rule: list[str]) -> str:
    """One rule as iptables-restore reads it: words with blanks in double quotes."""
    quoted = (f'"{_escaped(word)}"' if " " in word or '"' in word else word for word in rule)
    return " ".join(quoted)


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"')


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
