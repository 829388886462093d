"""Puts rendered rules into the kernel through `nft`, in one transaction, changing only what differs.

All of it lies in a table of the node's own. What stands there already is read once at the start: chains of
a killed predecessor are taken over or go away, and clients that stick to an endpoint go on doing so. Others
who flush rules are noticed by a chain that is looked at (`CANARY`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from wherry.kit.portions import Portions, Work
from wherry.network.tool import NetworkFailure, ToolRefused, run_tool
from wherry.proxy.backends.base import BackendError, NodeNetwork
from wherry.proxy.backends.nftables_rules import CANARY, Part, render_node, render_part, table_name
from wherry.proxy.backends.nftables_texts import Claims, Found, change_text, whole_text
from wherry.proxy.model import Model

FAMILY = "ip"
LONGEST_COMPLAINT = 500
"""nft repeats what it was given."""
_PROBE = """
add chain ip {table} probe
add chain ip {table} nat-output {{ type nat hook output priority -100 ; }}
add map ip {table} ways {{ type ipv4_addr . inet_proto . inet_service : verdict ; comment "probe" ; }}
add rule ip {table} probe meta l4proto tcp numgen random mod 2 == 0 dnat to 192.0.2.1:80
add rule ip {table} probe meta l4proto tcp dnat ip addr . port to numgen inc mod 1 map {{ 0 : 1.0.0.1 . 1 }}
add rule ip {table} nat-output ip daddr . meta l4proto . th dport vmap @ways
"""


@dataclass(slots=True)
class _State:
    """What the kernel has."""

    parts: dict[str, Part]
    claims: Claims


class NftablesBackend:
    """One node's rules in the machine's (or the current network namespace's) nftables."""

    def __init__(self, network: NodeNetwork) -> None:
        self._network = network
        self._table = table_name(network)
        self._state: _State | None = None
        """None: not known, all is made anew."""

    async def apply(self, model: Model, changed: Collection[str]) -> None:
        """See `Backend.apply`."""
        state, self._state = self._state, None  # where this is cut off, what the kernel has is not known
        if state is None:
            state = _State({}, Claims())
            await _update(state, model, model, self._network)
            found = await self._found()
            text = whole_text(self._table, render_node(self._network), state.parts, state.claims, found)
        else:
            parts = dict(state.parts)
            before = await _update(state, model, changed, self._network)
            text = change_text(self._table, parts, state.parts, changed, before, state.claims)
        if text:
            await _run(text)
        self._state = state

    async def is_intact(self) -> bool:
        """See `Backend.is_intact`."""
        if self._state is None:
            return False
        try:
            listing = await run_tool("nft", "list", "chain", FAMILY, self._table, CANARY)
        except ToolRefused:
            listing = ""  # there is no such chain any more
        except NetworkFailure as error:
            raise BackendError(str(error)[:LONGEST_COMPLAINT]) from error
        if "return" not in listing:
            self._state = None
        return self._state is not None

    async def remove(self) -> None:
        """See `Backend.remove`."""
        self._state = None
        # Made first, so that it is no error where there is none.
        table = f"{FAMILY} {self._table}"
        await _run(f"add table {table}\ndelete table {table}\n")

    async def probe(self) -> None:
        """Raise BackendError where the kernel or `nft` cannot do what the rules need; leaves nothing."""
        table = f"{self._table}-probe"
        text = f"add table {FAMILY} {table}\n{_PROBE.format(table=table)}delete table {FAMILY} {table}\n"
        await _run(text)

    async def _found(self) -> Found:
        """The chains and sets of the table that stand now."""
        chains = json.loads(await _nft("-j", "list", "chains", FAMILY))
        sets = json.loads(await _nft("-j", "-t", "list", "sets", FAMILY))
        maps = json.loads(await _nft("-j", "-t", "list", "maps", FAMILY))
        return Found(
            chains=frozenset(self._names(chains, "chain")),
            sets=frozenset(self._names(sets, "set")),
            maps=frozenset(self._names(maps, "map")),
        )

    def _names(self, listing: dict[str, list[dict[str, dict[str, str]]]], kind: str) -> Iterable[str]:
        for entry in listing["nftables"]:
            described = entry.get(kind)
            if described is not None and described["table"] == self._table:
                yield described["name"]


async def _update(
    state: _State, model: Model, changed: Collection[str], network: NodeNetwork
) -> dict[tuple[str, str], str | None]:
    """Bring `state` up to `model` where it is `changed`; what each element it concerns was before."""
    before: dict[tuple[str, str], str | None] = {}
    portions = Portions(Work.NODE)
    for key in sorted(changed):
        await portions.next()
        old = state.parts.get(key) or Part()
        new = render_part(model[key], network) if key in model else Part()
        for element in old.elements.keys() | new.elements.keys():
            before.setdefault(element, state.claims.value(element))
        state.claims.change(key, old.elements, new.elements)
        if key in model:
            state.parts[key] = new
        else:
            state.parts.pop(key, None)
    return before


async def _run(text: str) -> None:
    """Have nft carry out a program, in one transaction. Raises BackendError.

    From a file that is whole before nft starts: from a pipe it would carry out as much as was written when
    we are killed.
    """
    program = os.memfd_create("rules")
    try:
        with open(program, "w", closefd=False) as file:
            file.write(text)
        await _nft("-f", f"/proc/{os.getpid()}/fd/{program}")
    finally:
        os.close(program)


async def _nft(*arguments: str) -> str:
    """Run nft; what it printed. Raises BackendError."""
    try:
        return await run_tool("nft", *arguments)
    except NetworkFailure as error:
        raise BackendError(str(error)[:LONGEST_COMPLAINT]) from error
