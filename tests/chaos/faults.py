"""What goes wrong: each fault is begun, lasts a while, and is taken back.

Not here, because they would hit the whole machine: a clock that is stepped and a laptop that sleeps (see the
tests of wall and monotonic time in tests/kubelet), and memory that runs out.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.live.cluster import LiveCluster
from wherry.kit.processes import ProcessRecord

SPARE = 24 << 20
"""How many bytes are left when the disk is filled."""

Fault = Callable[["Victim", Random], contextlib.AbstractContextManager[str]]


class Victim:
    """The cluster that is broken, found by its files: its commands may not answer just now."""

    def __init__(self, cluster: LiveCluster) -> None:
        self.cluster = cluster
        self.paths = cluster.paths
        self.api_port = next(f.partition("=")[2] for f in cluster.flags if f.startswith("--api-port="))

    def process(self, component: str) -> ProcessRecord | None:
        """The living process of a component, or of the supervisor."""
        if component == "supervisor":
            return ProcessRecord.read(self.paths.supervisor_pid)
        if component == "containerd":
            return ProcessRecord.read(self.cluster.node_paths.containerd_run / "containerd.pid")
        return ProcessRecord.read(self.paths.component_pid(component))


def _send(victim: Victim, component: str, number: signal.Signals) -> str:
    process = victim.process(component)
    if process is None:
        return f"{component} does not run just now"
    process.send(number)
    return f"{number.name} to {component} (pid {process.pid})"


def killed(component: str) -> Fault:
    """kill -9; the supervisor starts it again (its own death is mended with `wherry start`)."""

    @contextmanager
    def fault(victim: Victim, random: Random) -> Iterator[str]:
        yield _send(victim, component, signal.SIGKILL)
        if component == "supervisor":
            victim.cluster.try_wherry("start")

    return fault


def stopped(component: str) -> Fault:
    """SIGSTOP, and SIGCONT to whatever process it is then that was stopped."""

    @contextmanager
    def fault(victim: Victim, random: Random) -> Iterator[str]:
        process = victim.process(component)
        try:
            yield _send(victim, component, signal.SIGSTOP)
        finally:
            if process is not None:
                process.send(signal.SIGCONT)

    return fault


@contextmanager
def flushed(victim: Victim, random: Random) -> Iterator[str]:
    """Somebody flushes the cluster's chains, as a firewall's reload does."""
    table = random.choice(("nat", "filter"))
    listed = subprocess.run(
        ["iptables", "-w", "10", "-t", table, "-S"], capture_output=True, text=True, check=True
    )
    chains = [line.split()[1] for line in listed.stdout.splitlines() if line.startswith("-N WHR")]
    for chain in chains:
        subprocess.run(["iptables", "-w", "10", "-t", table, "-F", chain], check=False, capture_output=True)
    yield f"{len(chains)} chains of {table} flushed"


@contextmanager
def cut_off(victim: Victim, random: Random) -> Iterator[str]:
    """Nothing gets through to the API server: connections hang, they are not refused."""
    rule = ["-p", "tcp", "--dport", victim.api_port, "-j", "DROP"]
    subprocess.run(["iptables", "-w", "10", "-I", "OUTPUT", "1", *rule], check=True)
    try:
        yield f"packets to port {victim.api_port} dropped"
    finally:
        subprocess.run(["iptables", "-w", "10", "-D", "OUTPUT", *rule], check=True)


@contextmanager
def filled(victim: Victim, random: Random) -> Iterator[str]:
    """The disk the data lie on is full (only where that is a disk of its own)."""
    state = os.statvfs(victim.paths.data)
    if not victim.paths.data.parent.is_mount():
        yield "the disk is not the cluster's own: not filled"
        return
    ballast = victim.paths.data.parent / "ballast"
    size = max(state.f_bavail * state.f_frsize - (0 if random.random() < 0.5 else SPARE), 0)
    try:
        _fill(ballast, size)
        yield f"disk filled with {size >> 20} MiB"
    finally:
        ballast.unlink(missing_ok=True)


def _fill(path: Path, size: int) -> None:
    piece = bytes(1 << 20)
    with path.open("wb") as file, contextlib.suppress(OSError):  # full: that is the point
        for _ in range(size >> 20):
            file.write(piece)
        file.flush()


FAULTS: dict[str, Fault] = {
    **{
        f"kill {component}": killed(component)
        for component in ("server", "agent", "supervisor", "containerd")
    },
    **{f"stop {component}": stopped(component) for component in ("server", "agent", "containerd")},
    "flush rules": flushed,
    "cut off": cut_off,
    "fill disk": filled,
}
