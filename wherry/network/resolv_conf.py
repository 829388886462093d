"""How a machine or a pod resolves names: the lines of a resolv.conf (resolv.conf(5))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resolver:
    """The lines of a resolv.conf."""

    servers: Sequence[str] = ()
    searches: Sequence[str] = ()
    options: Sequence[str] = ()


def parse_resolv_conf(text: str) -> Resolver:
    """Read the node's resolv.conf; of several `search` lines the last counts."""
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#", 1)[0].split(";", 1)[0].split()
        if not words:
            continue
        if words[0] == "nameserver" and len(words) > 1:
            servers.append(words[1])
        elif words[0] == "search":
            searches = [w if w == "." else w.rstrip(".") for w in words[1:]]
        elif words[0] == "options":
            options.extend(words[1:])
    return Resolver(servers, searches, options)
