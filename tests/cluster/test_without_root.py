"""A whole cluster where next to nothing is allowed, as in a container: made, killed, deleted.

For a user without root, and for a root without rights, who find no containerd and no iptables, and cannot
write to /sys and /proc/sys.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.supervised import until
from wherry.cli.failures import Failure
from wherry.cli.kubectl import find_kubectl
from wherry.cluster.paths import ClusterPaths

NOBODY = 65534
NAME = "without-root"
REPOSITORY = Path(__file__).parents[2]
READING = "-all,+dac_read_search"
"""Python and the checkout may lie where only root can read: that alone is left of root's rights."""
NO_RIGHTS = [
    "--no-new-privs",
    *(f"--{kind}={READING}" for kind in ("inh-caps", "ambient-caps", "bounding-set")),
]
AS_NOBODY = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
CONTAINED = """
set -e
mount=$1; shift
for place in /sys /proc/sys; do $mount --rbind $place $place; $mount -o remount,bind,ro $place; done
if [ -d /sys/fs/cgroup ]; then $mount -o remount,bind,ro /sys/fs/cgroup; fi
exec "$@"
"""
"""What a container's runtime does to a process before it begins; in a mount namespace of its own."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else"),
]


class User:
    """Somebody in a container, with a home of their own and nothing in PATH that a node needs."""

    def __init__(self, home: Path, uid: int) -> None:
        self.home = home
        self.prefix = [
            *(
                tool("unshare"),
                "--mount",
                "--propagation=private",
                tool("sh"),
                "-c",
                CONTAINED,
                "contained",
                tool("mount"),
            ),
            *(tool("setpriv"), *NO_RIGHTS, *(AS_NOBODY if uid else ())),
        ]
        self.environ = {
            "HOME": str(home),
            "PATH": str(home / "bin"),
            "XDG_RUNTIME_DIR": str(home / "run"),
            "WHERRY_KUBECTL": str(home / "bin" / "kubectl"),
            # Only root goes by these, whose clusters would lie where this machine's are.
            "WHERRY_DATA_ROOT": str(home / ".local" / "share" / "wherry"),
            "WHERRY_RUN_ROOT": str(home / "run" / "wherry"),
        }

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run `wherry ...` as that user; what it printed, on both streams."""
        done = subprocess.run(
            [*self.prefix, sys.executable, "-m", "wherry.cli.main", *arguments],
            env=self.environ,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    @property
    def paths(self) -> ClusterPaths:
        data = self.home / ".local" / "share" / "wherry" / NAME
        return ClusterPaths.of(NAME, data, self.home / "run" / "wherry")

    def kubectl(self, *arguments: str) -> str:
        return self.run("kubectl", "--name", NAME, *arguments)

    def server(self) -> dict[str, Any]:
        told = json.loads(self.run("status", "--name", NAME, "-o", "json"))
        found: dict[str, Any] = next(item for item in told["components"] if item["name"] == "server")
        return found


def tool(name: str) -> str:
    return shutil.which(name) or name


@pytest.fixture
def user(request: pytest.FixtureRequest) -> Iterator[User]:
    try:
        kubectl = find_kubectl()
    except Failure as failure:
        pytest.skip(str(failure))
    home = Path(tempfile.mkdtemp(prefix="wherry-user-", dir="/tmp"))
    (home / "bin").mkdir()
    shutil.copy(kubectl, home / "bin" / "kubectl")
    (home / "bin" / "tail").symlink_to(shutil.which("tail") or "/usr/bin/tail")
    (home / "run").mkdir(mode=0o700)
    for path in (home, home / "run"):
        shutil.chown(path, request.param, request.param)
    someone = User(home, request.param)
    try:
        yield someone
        someone.run("delete", "--name", NAME, "--yes")
    finally:
        shutil.rmtree(home)


@pytest.mark.parametrize("user", [0], indirect=True, ids=["root"])
def test_a_root_without_rights(user: User) -> None:
    said = user.run("up", "--name", NAME, "--nodes", "3")
    assert "no container runs (containerd and runc not found)" in said
    user.kubectl("create", "deployment", "web", "--image=example.com/web", "--replicas=3")
    user.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=60s")
    user.run("delete", "--name", NAME, "--yes")
    assert not user.paths.data.exists()


@pytest.mark.parametrize("user", [NOBODY], indirect=True, ids=["nobody"])
def test_from_up_to_delete(user: User) -> None:
    said = user.run("up", "--name", NAME, "--nodes", "20")
    assert "Nodes and pods are simulated, no container runs (you are not root)" in said
    assert f"Cluster {NAME} is up: 20 simulated nodes" in said
    assert "runs already" in user.run("up", "--name", NAME)
    assert NAME in user.run("list")

    user.kubectl("create", "deployment", "web", "--image=example.com/web", "--replicas=3")
    user.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=60s")
    user.kubectl("scale", "deployment/web", "--replicas=30")
    user.kubectl("rollout", "status", "deployment/web", "--timeout=60s")

    before = user.server()["pid"]
    os.kill(before, signal.SIGKILL)
    until(user.paths, lambda states: states["server"].ready and states["server"].pid != before)
    user.kubectl("scale", "deployment/web", "--replicas=40")
    user.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    user.kubectl("delete", "deployment", "web", "--wait", "--timeout=60s")
    user.kubectl("wait", "--for=delete", "pods", "-l", "app=web", "--timeout=60s")

    user.run("up", "--name", NAME, "--nodes", "5")
    assert len(user.kubectl("get", "nodes", "-o", "name").split()) == 5
    user.run("stop", "--name", NAME)
    user.run("start", "--name", NAME)
    assert "20 simulated nodes" in user.run("logs", "--name", NAME, "-n", "1000")
    user.run("down", "--name", NAME)
    user.run("delete", "--name", NAME, "--yes")
    assert not user.paths.data.exists()
    assert not user.paths.run.exists()
    assert f"wherry-{NAME}" not in (user.home / ".kube" / "config").read_text()
    assert not [line for line in processes() if f"--name {NAME}" in line]


def processes() -> list[str]:
    return subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
