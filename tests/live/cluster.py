"""The cluster under test, as a user sees it: the `wherry` command and a real kubectl."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.fetch_clients import fetch, tools_directory
from wherry.cluster.names import NodeNames
from wherry.cluster.paths import ClusterPaths, NodePaths
from wherry.cluster.state import follow

WHERRY = Path(sys.executable).parent / "wherry"
NGINX = "docker.io/library/nginx:1.22"
BUSYBOX = "docker.io/library/busybox:1.35"
COMMAND_TIMEOUT_S = 120.0
SLOT = int(os.environ.get("WHERRY_LIVE_SLOT", "0"))
"""Which ports and ranges the live cluster takes, so that several runs fit on one machine (0 to 9)."""
POD_RANGE = f"10.{210 + 2 * SLOT}.0"
SERVICE_RANGE = f"10.{211 + 2 * SLOT}"


def slot_flags(slot: int) -> tuple[str, ...]:
    """Flags of `up` that collide with no other slot."""
    return (
        f"--api-port={16443 + slot}",
        f"--kubelet-port={16250 + slot}",
        f"--pod-cidr=10.{210 + 2 * slot}.0.0/24",
        f"--service-cidr=10.{211 + 2 * slot}.0.0/16",
        "--node-name=live",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a finished command left."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCluster:
    """One cluster below `directory`; `flags` are given to `up`, `program` is the `wherry` to run.

    `inside` is what a command is run with to have it run in other surroundings (`tests.live.surroundings`).
    """

    directory: Path
    name: str = f"live{SLOT}"
    flags: tuple[str, ...] = field(default_factory=lambda: slot_flags(SLOT))
    variables: Mapping[str, str] = field(default_factory=dict)
    program: Path = WHERRY
    inside: tuple[str, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        """What the traces of this cluster on the machine carry."""
        ranges = [flag.partition("=")[2] for flag in self.flags if "-cidr=" in flag]
        networks = [cidr.rpartition(".0/")[0] + "." for cidr in ranges]
        own = [f"/{self.name}/", f"wh-{self.name}", f"kubepods-{self.name}", f"wherry-{self.name}"]
        return (*networks, *own)

    @property
    def paths(self) -> ClusterPaths:
        """Where the cluster keeps its things."""
        data = self.directory / "data" / self.name
        return ClusterPaths.of(self.name, data, self.directory / "run")

    @property
    def node_paths(self) -> NodePaths:
        """Where its only node keeps its things."""
        (node,) = self.paths.nodes.iterdir()
        return self.paths.node(NodeNames(self.name, node.name))

    @property
    def environment(self) -> dict[str, str]:
        """Variables under which `wherry` and kubectl mean this cluster and touch no other."""
        return {
            **os.environ,
            "WHERRY_DATA_ROOT": str(self.directory / "data"),
            "WHERRY_RUN_ROOT": str(self.directory / "run"),
            "WHERRY_NAME": self.name,
            "KUBECONFIG": str(self.directory / "kubeconfig"),
            # kubectl keeps what a server at this address once said of itself.
            "KUBECACHEDIR": str(self.directory / "cache"),
            "PATH": f"{self.program.parent}:{os.environ['PATH']}",
            **self.variables,
        }

    def try_wherry(self, *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S) -> Done:
        """Run `wherry ...`, whatever comes of it."""
        return self._run([str(self.program), *arguments], "", timeout_s)

    def wherry(self, *arguments: str) -> str:
        """Run `wherry ...`, which must succeed; what it printed."""
        return _checked(self.try_wherry(*arguments), arguments)

    def up(self) -> str:
        """`wherry up` with this cluster's settings."""
        return self.wherry("up", *self.flags)

    def try_kubectl(
        self, *arguments: str, stdin: str = "", timeout_s: float = COMMAND_TIMEOUT_S, program: str = ""
    ) -> Done:
        """Run kubectl, whatever comes of it."""
        return self._run([program or kubectl_program(), *arguments], stdin, timeout_s)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl, which must succeed; what it printed."""
        return _checked(self.try_kubectl(*arguments, stdin=stdin), arguments)

    def get(self, *arguments: str) -> Any:
        """`kubectl get ... -o json`, decoded."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def status(self) -> Any:
        """`wherry status -o json`, decoded."""
        return json.loads(self.wherry("status", "-o", "json"))

    def pid(self, component: str) -> int:
        """The process of a component."""
        found = [item["pid"] for item in self.status()["components"] if item["name"] == component]
        assert found, f"no {component} among the components"
        assert found[0], f"{component} does not run"
        pid: int = found[0]
        return pid

    def _run(self, command: list[str], stdin: str, timeout_s: float) -> Done:
        done = subprocess.run(
            [*self.inside, *command],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            umask=0o077,  # the strictest: nothing may rely on a lax one
        )
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)


def kubectl_program() -> str:
    """The real kubectl 1.37."""
    return client_program("kubectl")


def client_program(name: str) -> str:
    """A real `kubectl` or `helm`, unpacked when it is needed first."""
    fetch(tools_directory())
    return str(tools_directory() / name)


def _checked(done: Done, arguments: tuple[str, ...]) -> str:
    assert done.code == 0, f"{' '.join(arguments)}: exit code {done.code}\n{done.out}\n{done.err}"
    return done.out


def until(look: Callable[[], Any], timeout_s: float = 60.0, else_say: Callable[[], str] | None = None) -> Any:
    """What `look` finds, once it finds something. Each look is a kubectl run, so it is no busy loop.

    `else_say` words what is wrong where it finds nothing in time.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
    raise AssertionError(f"{else_say() if else_say else 'nothing'} within {timeout_s} s")


def kill_and_wait(cluster: LiveCluster, component: str, when: Callable[[], Any] = lambda: True) -> None:
    """SIGKILL one component, as soon as `when` holds, and wait until its successor is ready."""
    killed = cluster.pid(component)
    until(when)
    os.kill(killed, signal.SIGKILL)
    for states in follow(cluster.paths, 60.0):
        if states[component].ready and states[component].pid != killed:
            return
    raise AssertionError("the supervisor ended")
