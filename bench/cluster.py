"""The cluster that is measured: made, used and deleted by the `wherry` command itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "bench"
WHERRY = Path(sys.executable).parent / "wherry"

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""What measured processes run with: like an installed program's, their modules are compiled only once."""


@dataclass(frozen=True, slots=True)
class BenchCluster:
    """A cluster called `bench`, with a kubeconfig of its own below `directory`."""

    directory: Path

    @classmethod
    def make(cls) -> BenchCluster:
        """Choose a directory; nothing is started yet."""
        return cls(Path(tempfile.mkdtemp(prefix="wherry-bench-")))

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run `wherry ...`; what it printed."""
        environment = {**ENVIRONMENT, "KUBECONFIG": str(self.directory / "kubeconfig")}
        done = subprocess.run(
            [str(WHERRY), *arguments], env=environment, check=False, capture_output=True, text=True
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"wherry {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def up_s(self, *options: str) -> float:
        """Seconds `wherry up` takes, from its start to its end."""
        started = time.monotonic()
        self.run("up", "--name", NAME, *options)
        return time.monotonic() - started

    def status(self) -> dict[str, Any]:
        """What `wherry status -o json` says."""
        found: dict[str, Any] = json.loads(self.run("status", "--name", NAME, "-o", "json"))
        return found

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl against it; what it printed."""
        return self.run("kubectl", "--name", NAME, *arguments)

    def token(self) -> str:
        """A bearer token with all rights: wrk cannot show a client certificate."""
        self.kubectl("create", "serviceaccount", "bench", "-n", "kube-system")
        self.kubectl(
            "create",
            "clusterrolebinding",
            "bench",
            "--clusterrole=cluster-admin",
            "--serviceaccount=kube-system:bench",
        )
        return self.kubectl("create", "token", "bench", "-n", "kube-system").strip()

    def delete(self) -> None:
        """Take it down and delete it."""
        self.run("delete", "--name", NAME, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU time the processes have used so far, together."""
    ticks = 0
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat").read_text()
        fields = stat[stat.rindex(")") + 2 :].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
