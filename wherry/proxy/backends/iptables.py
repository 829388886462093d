"""Puts rendered rules into the kernel through `iptables-restore`, changing only what differs.

One transaction per table. What stands there already is read once at the start (`iptables-save`), so
the rules of a killed predecessor are taken over, and stale chains go away. Whether other programs have
flushed them since shows in a canary chain per table (upstream's `pkg/util/iptables`, Monitor) and in the
jumps of the built-in chains.
"""

from __future__ import annotations

from collections.abc import Collection

from wherry.kit.portions import Portions, Work
from wherry.network.tool import NetworkFailure, ToolRefused, run_tool
from wherry.proxy.backends.base import BackendError, NodeNetwork
from wherry.proxy.backends.iptables_rules import (
    Chains,
    Part,
    Ruleset,
    assemble,
    canary_name,
    chain_prefix,
    render_part,
    restore_text,
)
from wherry.proxy.model import Model

LOCK_WAIT_S = 5
TABLES = ("nat", "filter")
NO_SUCH_CHAIN = 1
"""Exit code of `iptables` for a chain that is not there."""
UNKNOWN = ["?"]
"""The rules of a chain that was found, not written by us: differs from every rendered chain."""

Jump = tuple[str, str, str]


class IptablesBackend:
    """One cluster's rules in the machine's (or the current network namespace's) iptables."""

    def __init__(self, network: NodeNetwork) -> None:
        self._network = network
        self._present: dict[str, Chains] | None = None
        self._jumps: set[Jump] = set()
        self._parts: dict[str, Part] = {}
        """What each Service of the last model had."""

    async def apply(self, model: Model, changed: Collection[str]) -> None:
        """See `Backend.apply`."""
        parts = await self._rendered(model, changed)
        rules = assemble([parts[key] for key in sorted(parts)], self._network)
        if self._present is None:
            self._present, self._jumps = parse_saved(await _save(), chain_prefix(self._network))
        jumps = wanted_jumps(rules)
        missing = [jump for jump in jumps if jump not in self._jumps]
        wanted = {"nat": rules.nat, "filter": rules.filter}
        text = restore_text(wanted, self._present, missing)
        if not text:
            self._parts = parts
            return
        self._present = None  # where this is cut off, whatever is there then is looked at again
        await _run(["iptables-restore", "-w", str(LOCK_WAIT_S), "--noflush"], text)
        self._present, self._jumps, self._parts = wanted, set(jumps), parts

    async def _rendered(self, model: Model, changed: Collection[str]) -> dict[str, Part]:
        """What each Service of `model` has; of the last one's only those of `changed` are made anew."""
        parts = {key: part for key, part in self._parts.items() if key in model}
        portions = Portions(Work.NODE)
        for key in changed:
            await portions.next()
            if key in model:
                parts[key] = render_part(model[key], self._network)
        return parts

    async def is_intact(self) -> bool:
        """See `Backend.is_intact`."""
        if self._present is None:
            return False
        canary = canary_name(self._network)
        expected: dict[tuple[str, str], set[str]] = {
            (table, canary): set(self._present[table][canary]) for table in TABLES
        }
        for table, chain, rule in self._jumps:
            expected.setdefault((table, chain), set()).add(rule)
        for (table, chain), rules in expected.items():
            if not rules <= await _rules_of(table, chain):
                self._present = None
                return False
        return True

    async def remove(self) -> None:
        """See `Backend.remove`."""
        prefix = chain_prefix(self._network)
        present, jumps = parse_saved(await _save(), prefix)
        text = removal_text(present, jumps)
        if text:
            await _run(["iptables-restore", "-w", str(LOCK_WAIT_S), "--noflush"], text)
        self._present, self._jumps = None, set()


def wanted_jumps(rules: Ruleset) -> list[Jump]:
    """The jumps of both tables as (table, built-in chain, rule)."""
    return [
        *(("nat", chain, rule) for chain, rule in rules.nat_jumps),
        *(("filter", chain, rule) for chain, rule in rules.filter_jumps),
    ]


def parse_saved(saved: str, prefix: str) -> tuple[dict[str, Chains], set[Jump]]:
    """Our chains (content unknown) and the jumps to them in what `iptables-save` printed."""
    chains: dict[str, Chains] = {table: {} for table in TABLES}
    jumps: set[Jump] = set()
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif table not in TABLES:
            continue
        elif line.startswith(f":{prefix}"):
            chains[table][line[1:].split(" ", 1)[0]] = UNKNOWN
        elif line.startswith("-A ") and f"-j {prefix}" in line:
            _, chain, rule = line.split(" ", 2)
            if not chain.startswith(prefix):
                jumps.add((table, chain, rule))
    return chains, jumps


def removal_text(present: dict[str, Chains], jumps: set[Jump]) -> str:
    """Input for `iptables-restore --noflush` that takes away our jumps, then our chains."""
    lines: list[str] = []
    for table in TABLES:
        chains = present[table]
        leading = sorted((chain, rule) for where, chain, rule in jumps if where == table)
        if not chains and not leading:
            continue
        lines.append(f"*{table}")
        lines += [f":{name} - [0:0]" for name in chains]
        lines += [f"-D {chain} {rule}" for chain, rule in leading]
        lines += [f"-X {name}" for name in chains]
        lines.append("COMMIT")
    return "".join(f"{line}\n" for line in lines)


async def _save() -> str:
    return await _run(["iptables-save"])


async def _rules_of(table: str, chain: str) -> set[str]:
    try:
        listing = await run_tool("iptables", "-w", str(LOCK_WAIT_S), "-t", table, "-S", chain)
    except ToolRefused as error:
        if error.code == NO_SUCH_CHAIN:
            return set()
        raise BackendError(str(error)) from error
    except NetworkFailure as error:
        raise BackendError(str(error)) from error
    return {line.split(" ", 2)[2] for line in listing.splitlines() if line.startswith("-A ")}


async def _run(command: list[str], text: str = "") -> str:
    """Run a tool, with `text` on its standard input if any; what it printed. Raises BackendError."""
    try:
        return await run_tool(*command, stdin=text)
    except NetworkFailure as error:
        raise BackendError(str(error)) from error
