"""What is on the machine that a cluster could leave behind."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Footprint:
    """Everything of the machine that a cluster touches."""

    interfaces: frozenset[str]
    namespaces: frozenset[str]
    rules: frozenset[str]
    mounts: frozenset[str]
    routes: frozenset[str]
    cgroups: frozenset[str]
    processes: frozenset[str]

    def found(self) -> dict[str, set[str]]:
        """What is there, by sort; empty sorts left out."""
        sorts = {name: set(getattr(self, name)) for name in self.__dataclass_fields__}
        return {name: items for name, items in sorts.items() if items}


def footprint(marks: Collection[str], inside: tuple[str, ...] = ()) -> Footprint:
    """Whatever on the machine carries one of `marks`: the cluster's name, directory, ranges.

    `inside` is the command that leads into the surroundings where to look, () for the machine's own.
    """
    return Footprint(
        interfaces=frozenset(_interfaces(marks, inside)),
        namespaces=frozenset(_marked(_lines(*inside, "ip", "netns", "list"), marks)),
        rules=frozenset(_marked(_rules(inside), marks)),
        mounts=frozenset(_marked(_lines(*inside, "cat", "/proc/self/mountinfo"), marks)),
        routes=frozenset(_marked(_lines(*inside, "ip", "route", "show"), marks)),
        cgroups=frozenset(_marked((str(path) for path in _cgroups()), marks)),
        processes=frozenset(_processes(marks)),
    )


def _marked(lines: Iterable[str], marks: Collection[str]) -> list[str]:
    return [line for line in lines if any(mark in line for mark in marks)]


def _interfaces(marks: Collection[str], inside: tuple[str, ...]) -> list[str]:
    """Interfaces of pods have random names; one that is left behind hangs on no bridge any more."""
    links = json.loads("".join(_lines(*inside, "ip", "-j", "link", "show")))
    names = [link["ifname"] for link in links]
    orphans = [link["ifname"] for link in links if link["ifname"].startswith("veth") and "master" not in link]
    return orphans + _marked(names, marks)


def _rules(inside: tuple[str, ...]) -> list[str]:
    """Rules of iptables, and of the tables of nftables that are called as ours are."""
    tables = [line.split() for line in _lines(*inside, "nft", "list", "tables")]
    ours = [(family, name) for _, family, name in tables if name.startswith("wherry-")]
    listed = [_lines(*inside, "nft", "list", "table", *table) for table in ours]
    return [*_lines(*inside, "iptables-save"), *itertools.chain(*listed)]


def _cgroups() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    return [path for pattern in ("*", "*/*", "*/*/*") for path in root.glob(pattern) if path.is_dir()]


def _processes(marks: Collection[str]) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(mark in command for mark in marks) and "pytest" not in command:
            found.append(f"{entry.name} {command}")
    return found


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
