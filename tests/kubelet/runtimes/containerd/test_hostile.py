"""Containers that take all they can get, by a real containerd: others do not notice, and all ends."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.builders import make_pod
from tests.kubelet.runtimes.containerd.conftest import CGROUP_ROOT, Machine
from tests.timing import PATIENCE_S
from wherry.kit.mounts import MS_NODEV, MS_NOSUID, detach, mount
from wherry.kubelet.cgroups import PodCgroups
from wherry.kubelet.runtimes.containers import ContainerSpec, Phase

pytestmark = pytest.mark.cluster

BOMB = "(while :; do sleep 1000 & done); exec tail -f /dev/null"
"""The shell that cannot fork ends; what it made stays."""
MOST = 64
MOUNT = Path("/sys/fs/cgroup")


def pids(path: str, file: str = "pids.current") -> int:
    for place in (MOUNT / "pids", MOUNT):
        found = place / path.strip("/") / file
        if found.exists():
            return int(found.read_text())
    raise FileNotFoundError(path)


def fill(directory: Path) -> None:
    """Leave no room for anything: first the bytes or the inodes, whichever end first."""

    def more() -> None:
        for number in itertools.count():
            (directory / str(number)).write_bytes(b"x" * 4096)

    with pytest.raises(OSError, match="No space left on device"):
        more()


async def test_a_fork_bomb_under_a_limit_of_process_ids(machine: Machine) -> None:
    runtime = machine.runtime
    _, other = await machine.run("u2", "while :; do sleep 1; done")
    pod = make_pod()
    cgroups = PodCgroups(MOUNT, CGROUP_ROOT, MOST)
    parent = cgroups.create(pod)
    assert pids(parent, "pids.max") == MOST, "else the machine would be the bomb's"
    sandbox = replace(machine.sandbox("u1"), cgroup_parent=parent)
    sandbox_id = await runtime.run_sandbox(sandbox)
    try:
        spec = ContainerSpec(
            name="c", attempt=0, image="busybox", command=["sh", "-c", BOMB], log_path="c/0.log"
        )
        bomb = await runtime.create_container(sandbox_id, sandbox, spec)
        await runtime.start_container(bomb)
        await eventually(lambda: pids(parent) >= MOST - 8)
        for _ in range(5):
            assert pids(parent) <= MOST
            async with asyncio.timeout(PATIENCE_S):
                assert (await runtime.exec_sync(other, ["echo", "here"], 30)).stdout == b"here\n"
        async with asyncio.timeout(PATIENCE_S):
            await runtime.stop_container(bomb, 0)
        (container,) = await runtime.containers("u1")
        assert container.phase is Phase.EXITED
    finally:
        await runtime.stop_sandbox(sandbox_id)
        await runtime.remove_sandbox(sandbox_id)
        cgroups.remove("u1")
    assert not any(place.exists() for place in (MOUNT / "pids" / parent[1:], MOUNT / parent[1:]))


@pytest.mark.parametrize("what", ["size=256k", "size=64m,nr_inodes=40"])
async def test_a_full_folder_of_logs(machine: Machine, tmp_path: Path, what: str) -> None:
    """A container without room for its log goes on, and writes again when there is room; others start."""
    logs = Path(machine.sandbox("u1").log_directory).parent
    logs.mkdir(parents=True, exist_ok=True)
    mount("full", logs, "tmpfs", MS_NOSUID | MS_NODEV, f"mode=0755,{what}")
    try:
        script = "while :; do echo line; sleep 0.05; done"
        _, talker = await machine.run("u1", script)
        filler = logs / "filler"
        filler.mkdir()
        fill(filler)
        (container,) = await machine.runtime.containers("u1")
        assert container.phase is Phase.RUNNING
        assert (await machine.runtime.exec_sync(talker, ["echo", "here"], 30)).stdout == b"here\n"
        for file in filler.iterdir():
            file.unlink()
        filler.rmdir()
        log = Path(machine.sandbox("u1").log_directory) / "c" / "0.log"
        before = log.stat().st_size
        await eventually(lambda: log.stat().st_size > before)
        _, second = await machine.run("u2", "sleep 100")
        assert (await machine.runtime.exec_sync(second, ["echo", "too"], 30)).stdout == b"too\n"
        for uid in ("u1", "u2"):
            for sandbox in await machine.runtime.sandboxes(uid):
                await machine.runtime.stop_sandbox(sandbox.id)
                await machine.runtime.remove_sandbox(sandbox.id)
    finally:
        detach(logs)
