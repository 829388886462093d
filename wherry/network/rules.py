"""The machine's side of a pod network: masquerading, forwarding, and taking it all down again.

What leaves the pods' range gets the machine's address; what comes from or goes to the range may be
forwarded (other software may have closed the FORWARD chain). The rules lie in chains of the
cluster's own; `render_rules` and `stale_rules` are pure, the rest calls iptables and ip.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable
from pathlib import Path

from wherry.network.cni import PodNetwork
from wherry.network.tool import run_tool, tool_fails

CNI_RESULTS = Path("/var/lib/cni/results")
"""Where libcni remembers results; containerd 1.x cannot be told another place."""


def chain_name(network: PodNetwork) -> str:
    """The chain of a network, in each table it needs; within iptables' 28 characters."""
    return "WHERRY-POD-" + hashlib.sha256(network.name.encode()).hexdigest()[:8].upper()


def render_rules(network: PodNetwork) -> str:
    """Input for `iptables-restore --noflush` that makes the network's chains anew."""
    chain = chain_name(network)
    inside = network.cluster_cidr or network.pod_cidr
    pods = network.pod_cidr
    return "\n".join(
        (
            "*nat",
            f":{chain} - [0:0]",
            f"-A {chain} -d {inside} -j RETURN",
            f"-A {chain} -d 224.0.0.0/4 -j RETURN",
            f"-A {chain} -s {pods} -j MASQUERADE",
            "COMMIT",
            "*filter",
            f":{chain} - [0:0]",
            f"-A {chain} -s {pods} -j ACCEPT",
            f"-A {chain} -d {pods} -j ACCEPT",
            "COMMIT",
            "",
        )
    )


def jumps(network: PodNetwork) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The two rules that lead into the chains, as iptables arguments without the verb."""
    chain = chain_name(network)
    return (
        ("nat", "POSTROUTING", "-s", network.pod_cidr, "-j", chain),
        # Appended, so that whoever wants to refuse traffic does so before.
        ("filter", "FORWARD", "-j", chain),
    )


def stale_rules(saved: str, network: PodNetwork) -> str:
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
    for table, chain, *rule in jumps(network):
        if await tool_fails("iptables", "--wait", "-t", table, "-C", chain, *rule):
            await run_tool("iptables", "--wait", "-t", table, "-A", chain, *rule)


async def remove_rules(network: PodNetwork) -> None:
    """Take the chains down, and what portmap left of the network. Raises NetworkFailure."""
    for table, chain, *rule in jumps(network):
        while not await tool_fails("iptables", "--wait", "-t", table, "-D", chain, *rule):
            continue
        own = chain_name(network)
        if not await tool_fails("iptables", "--wait", "-t", table, "-F", own):
            await run_tool("iptables", "--wait", "-t", table, "-X", own)
    stale = stale_rules(await run_tool("iptables-save", "-t", "nat"), network)
    if stale:
        await run_tool("iptables-restore", "--wait", "--noflush", stdin=stale)


async def remove_bridge(network: PodNetwork) -> None:
    """Remove the bridge, if it is there. Raises NetworkFailure."""
    if Path("/sys/class/net", network.bridge).exists():
        await run_tool("ip", "link", "delete", network.bridge)


def forget_results(network: PodNetwork, directory: Path = CNI_RESULTS) -> None:
    """Remove what libcni remembers of the network's sandboxes."""
    for file in directory.glob(f"{network.name}-*"):
        # containerd's own loopback network is remembered beside every pod's.
        sandbox_id = file.name.removeprefix(f"{network.name}-").partition("-")[0]
        for loopback in directory.glob(f"cni-loopback-{sandbox_id}-*"):
            loopback.unlink(missing_ok=True)
        file.unlink(missing_ok=True)


def _names_network(word: str, network: PodNetwork) -> bool:
    return f'name: "{network.name}"' in word


def _restorable(rule: list[str]) -> str:
    """One rule as iptables-restore reads it: words with blanks in double quotes."""
    quoted = (f'"{_escaped(word)}"' if " " in word or '"' in word else word for word in rule)
    return " ".join(quoted)


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"')


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
