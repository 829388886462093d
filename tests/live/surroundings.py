"""A network of a test's own for a whole cluster: uplink, firewall and mounts apart from the machine's.

A process that sleeps holds the namespaces; `inside` leads commands into them. Cgroups are the
machine's, and processes unless asked for otherwise.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

UPLINK = "wlan0"
"""As a laptop has it. Its other end, `air`, lies in the same namespace and answers nobody."""
SETUP = f"""
set -e
mount --rbind /sys/fs/cgroup "$0"
mount -t sysfs sysfs /sys
mount --rbind "$0" /sys/fs/cgroup
umount -R "$0" || true
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
ip link set lo up
ip link add {UPLINK} type veth peer name air
ip link set {UPLINK} up
ip link set air up
echo ready
exec sleep infinity
"""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Namespaces held by the process `pid`."""

    pid: int
    has_processes: bool = False

    @property
    def inside(self) -> tuple[str, ...]:
        """What to put before a command."""
        more = ("--pid",) if self.has_processes else ()
        return ("nsenter", f"--target={self.pid}", "--net", "--mount", *more)

    def run(self, *command: str, stdin: str = "") -> str:
        """Run a command inside, which must succeed; what it printed."""
        done = subprocess.run([*self.inside, *command], input=stdin, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def attempt(self, *command: str) -> str:
        """What a command printed, whatever became of it."""
        return subprocess.run([*self.inside, *command], capture_output=True, text=True, check=False).stdout

    def connect(self, address: str) -> None:
        """Be in the network of `address`, a /24 whose first address is the way out, and in no other."""
        self.disconnect()
        self.run("ip", "addr", "add", f"{address}/24", "dev", UPLINK)
        self.run("ip", "route", "add", "default", "via", f"{address.rpartition('.')[0]}.1")

    def disconnect(self) -> None:
        """Be in no network."""
        self.run("ip", "addr", "flush", "dev", UPLINK)


@contextmanager
def surroundings(directory: Path, *, own_processes: bool = False) -> Iterator[Surroundings]:
    """New and empty surroundings while the block lasts; `directory` is one to mount on for a moment.

    With `own_processes` those inside are numbered apart, and all of them are killed at the end.
    """
    options = ["--net", "--mount", "--propagation=private"]
    if own_processes:
        options += ["--pid", "--fork", "--mount-proc", "--kill-child"]
    command = ["unshare", *options, "sh", "-c", SETUP, str(directory)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
        yield Surroundings(int(children[0]) if own_processes else holder.pid, own_processes)
    finally:
        holder.kill()
        holder.communicate()
