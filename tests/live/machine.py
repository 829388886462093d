"""What is on the machine that a cluster could leave behind."""

from __future__ import annotations

import subprocess
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

    def added_since(self, before: Footprint) -> dict[str, set[str]]:
        """What is here and was not there before, by sort; empty sorts left out."""
        added = {name: set(getattr(self, name) - getattr(before, name)) for name in self.__dataclass_fields__}
        return {name: items for name, items in added.items() if items}


def footprint(marker: str) -> Footprint:
    """The machine as it is; of processes only those with `marker` in their command line."""
    return Footprint(
        interfaces=frozenset(entry.name for entry in Path("/sys/class/net").iterdir()),
        namespaces=frozenset(_names(Path("/run/netns")) | _names(Path("/var/run/netns"))),
        rules=frozenset(_rules()),
        mounts=frozenset(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        routes=frozenset(_lines("ip", "route", "show", "table", "all")),
        cgroups=frozenset(str(path) for path in _cgroups()),
        processes=frozenset(_processes(marker)),
    )


def _names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()} if directory.is_dir() else set()


def _rules() -> list[str]:
    lines = _lines("iptables-save")
    return [line.split(" [")[0] for line in lines if line.startswith((":", "-A"))]


def _cgroups() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    return [path for pattern in ("*/*", "*/*/*") for path in root.glob(pattern) if path.is_dir()]


def _processes(marker: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if marker in command and "pytest" not in command:
            found.append(f"{entry.name} {command}")
    return found


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
