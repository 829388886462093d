"""A real containerd in a temporary directory, for tests that need root and containers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kubelet.runtimes.contract import make_sandbox_below
from wherry.images.load import load_image
from wherry.images.pack import pack_image
from wherry.kit.clock import SystemClock
from wherry.kubelet.registries.registries import NONE, Registries
from wherry.kubelet.runtimes.containerd.config import ContainerdPaths
from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
from wherry.kubelet.runtimes.containerd.daemon import ContainerdDaemon
from wherry.kubelet.runtimes.containerd.facts import read_facts
from wherry.kubelet.runtimes.containers import ContainerSpec
from wherry.kubelet.runtimes.sandboxes import SandboxSpec
from wherry.network.cni import PodNetwork
from wherry.network.ground import Ground, Plan

PLAN = Plan(pod_cidr="10.199.7.0/24", cluster_cidr="10.199.7.0/24", service_cidr="10.198.7.0/24")
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
    return make_sandbox_below(directory, CGROUP_ROOT)(uid)


def make_daemon(directory: Path, registries: Registries = NONE) -> tuple[ContainerdDaemon, PodNetwork]:
    network = make_ground(directory).network(PLAN)
    paths = ContainerdPaths(
        directory / "data", directory / "run", network.conf_dir, directory / "containerd.log"
    )
    facts = read_facts(paths.root)
    daemon = ContainerdDaemon(
        paths,
        facts,
        SystemClock(),
        addresses=network.addresses,
        cgroup_root=CGROUP_ROOT,
        registries=registries,
    )
    return daemon, network


def make_ground(directory: Path) -> Ground:
    return Ground(
        name="wherry-rtest",
        bridge="wh-rtest",
        metric=7,
        last_metric=4294967200,
        directory=directory / "cni",
        record=directory / "network.json",
    )


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of a busybox image."""
    archive = tmp_path_factory.mktemp("images") / "busybox.tar"
    pack_image(archive, "busybox", packages=["busybox-static"])
    return archive


@pytest.fixture
async def machine(tmp_path: Path, busybox: Path) -> AsyncIterator[Machine]:
    daemon, network = make_daemon(tmp_path)
    ground = make_ground(tmp_path)
    await ground.lay(PLAN)
    await daemon.start()
    assert await daemon.until_networked()
    runtime = ContainerdRuntime(daemon.paths.socket, SystemClock())
    try:
        await load_image(daemon.image_store, busybox)
        yield Machine(tmp_path, network, daemon, runtime)
    finally:
        await runtime.close()
        await daemon.cleanup()
        await ground.take_up()
