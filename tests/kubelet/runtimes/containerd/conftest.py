"""A real containerd in a temporary directory, for tests that need root and containers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from wherry.images.load import load_image
from wherry.images.pack import pack_image
from wherry.kit.clock import SystemClock
from wherry.kubelet.runtimes.base import ContainerSpec, SandboxSpec
from wherry.kubelet.runtimes.containerd.config import ContainerdPaths
from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
from wherry.kubelet.runtimes.containerd.daemon import ContainerdDaemon
from wherry.kubelet.runtimes.containerd.facts import read_facts
from wherry.network.cni import PodNetwork

CLUSTER = "rtest"
POD_CIDR = "10.199.7.0/24"
CGROUP_ROOT = "/kubepods-rtest"


@dataclass
class Machine:
    """One containerd and a client of it."""

    directory: Path
    network: PodNetwork
    daemon: ContainerdDaemon
    runtime: ContainerdRuntime

    def sandbox(self, uid: str) -> SandboxSpec:
        return make_sandbox(self.directory, uid)

    async def run(self, uid: str, script: str, *, stdin: bool = False) -> tuple[str, str]:
        """Start a pod with one container that runs a shell script; the ids of both."""
        sandbox = self.sandbox(uid)
        sandbox_id = await self.runtime.run_sandbox(sandbox)
        spec = ContainerSpec(
            name="c",
            attempt=0,
            image="busybox",
            command=["sh", "-c", script],
            log_path="c/0.log",
            stdin=stdin,
        )
        container_id = await self.runtime.create_container(sandbox_id, sandbox, spec)
        await self.runtime.start_container(container_id)
        return sandbox_id, container_id


def make_sandbox(directory: Path, uid: str) -> SandboxSpec:
    return SandboxSpec(
        name=f"pod-{uid}",
        namespace="default",
        uid=uid,
        hostname=f"pod-{uid}",
        log_directory=str(directory / "logs" / uid),
        cgroup_parent=f"{CGROUP_ROOT}/besteffort/pod{uid}",
    )


def make_daemon(directory: Path) -> tuple[ContainerdDaemon, PodNetwork]:
    network = PodNetwork.of(CLUSTER, POD_CIDR, directory / "cni")
    paths = ContainerdPaths(
        directory / "data", directory / "run", network.conf_dir, directory / "containerd.log"
    )
    facts = read_facts(paths.root)
    return ContainerdDaemon(paths, facts, SystemClock(), network=network, cgroup_root=CGROUP_ROOT), network


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of a busybox image."""
    archive = tmp_path_factory.mktemp("images") / "busybox.tar"
    pack_image(archive, "busybox", packages=["busybox-static"])
    return archive


@pytest.fixture
async def machine(tmp_path: Path, busybox: Path) -> AsyncIterator[Machine]:
    daemon, network = make_daemon(tmp_path)
    await daemon.start()
    runtime = ContainerdRuntime(daemon.paths.socket, SystemClock())
    try:
        await load_image(daemon.image_store, busybox)
        yield Machine(tmp_path, network, daemon, runtime)
    finally:
        await runtime.close()
        await daemon.cleanup()
