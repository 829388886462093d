"""Real containers by a real containerd: life, events, ends by every means, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.runtimes.containerd.conftest import (
    CGROUP_ROOT,
    PLAN,
    Machine,
    make_daemon,
    make_ground,
    make_sandbox,
)
from tests.kubelet.runtimes.contract import PROMISES, Party
from tests.timing import PATIENCE_S
from wherry.kit.cgroups import cgroup_directories, processes_in
from wherry.kit.children import wait_gone
from wherry.kit.clock import SystemClock
from wherry.kit.mounts import mounts_below
from wherry.kit.processes import ProcessRecord
from wherry.kubelet.runtimes.containerd import deadlines
from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
from wherry.kubelet.runtimes.containerd.daemon import ContainerdDaemon
from wherry.kubelet.runtimes.containerd.processes import shims_of
from wherry.kubelet.runtimes.containerd.remains import SHIM_SOCKETS
from wherry.kubelet.runtimes.containers import ContainerSpec, Phase, Resources
from wherry.kubelet.runtimes.failures import NoSuchThing, RuntimeFailure
from wherry.kubelet.runtimes.images import ImageView
from wherry.kubelet.runtimes.runtime import RuntimeEvent
from wherry.kubelet.volumes.mounts import SystemMounts
from wherry.network.cni import given_addresses
from wherry.network.rules import CNI_RESULTS, chain_name

pytestmark = pytest.mark.cluster

FOREVER = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"


async def next_event(events: Any, kind: str, container_id: str) -> RuntimeEvent:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            event: RuntimeEvent = await anext(events)
            if (event.kind, event.container_id) == (kind, container_id):
                return event


def saved_rules() -> str:
    return subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout


async def until_again(daemon: ContainerdDaemon, first: int) -> None:
    """Return once another containerd than `first` answers."""
    runtime = ContainerdRuntime(daemon.paths.socket, SystemClock())
    try:
        while not (daemon.pid not in (0, first) and await answers(runtime)):
            await SystemClock().sleep(0.01)
    finally:
        await runtime.close()


async def answers(runtime: ContainerdRuntime) -> bool:
    try:
        return (await runtime.status()).ready
    except RuntimeFailure:
        return False


async def test_it_keeps_what_every_runtime_promises(machine: Machine) -> None:
    for promise in PROMISES:
        await promise(Party(machine.runtime, machine.sandbox))


async def test_life_of_a_container(machine: Machine) -> None:
    runtime = machine.runtime
    status = await runtime.status()
    assert (status.ready, status.network_ready, status.name) == (True, True, "containerd")
    events = runtime.events()
    async with aclosing(events):  # type: ignore[type-var]
        following = asyncio.ensure_future(next_event(events, "", ""))
        await asyncio.sleep(0.05)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        sandbox_id, container_id = await machine.run("u1", "echo out; echo err >&2; " + FOREVER)
        (sandbox,) = await runtime.sandboxes("u1")
        assert sandbox.ready
        assert list(given_addresses(machine.network.addresses)) == list(sandbox.ips)
        (container,) = await runtime.containers("u1")
        assert container.phase is Phase.RUNNING
        assert container.started is not None
        result = await runtime.exec_sync(container_id, ["sh", "-c", "hostname; exit 3"], 10)
        assert (result.exit_code, result.stdout) == (3, b"pod-u1\n")
        await runtime.stop_container(container_id, 10)
    (container,) = await runtime.containers("u1")
    assert (container.phase, container.exit_code, container.reason) == (Phase.EXITED, 0, "Completed")
    assert {line.split(" ", 3)[3] for line in Path(container.log_path).read_text().splitlines()} == {
        "out",
        "err",
    }
    await runtime.stop_sandbox(sandbox_id)
    await runtime.remove_sandbox(sandbox_id)
    assert await runtime.sandboxes() == []
    assert given_addresses(machine.network.addresses) == {}
    assert cgroup_directories(f"{CGROUP_ROOT}/besteffort/podu1") == []


async def test_what_privileged_means(machine: Machine) -> None:
    """Every capability, the machine's devices, and nothing of /proc and /sys read-only."""
    script = "grep CapEff /proc/self/status; echo $(ls /dev); "
    script += "touch /proc/sys/kernel/hostname && echo writable"
    found: list[tuple[int, set[str], bool]] = []
    for uid, privileged in (("u1", False), ("u2", True)):
        sandbox = replace(machine.sandbox(uid), privileged=privileged)
        sandbox_id = await machine.runtime.run_sandbox(sandbox)
        spec = ContainerSpec(
            name="c",
            attempt=0,
            image="busybox",
            command=["sh", "-c", FOREVER],
            log_path="c/0.log",
            security={"privileged": privileged},
        )
        container_id = await machine.runtime.create_container(sandbox_id, sandbox, spec)
        await machine.runtime.start_container(container_id)
        result = await machine.runtime.exec_sync(container_id, ["sh", "-c", script], 10)
        lines = result.stdout.decode().split("\n")
        found.append((int(lines[0].split()[1], 16), set(lines[1].split()), "writable" in lines))
    (plain_caps, _, plain_writes), (caps, devices, writes) = found
    own = next(line for line in Path("/proc/self/status").read_text().splitlines() if "CapBnd" in line)
    assert caps == int(own.split()[1], 16)
    assert plain_caps != caps
    nodes = {e.name for e in Path("/dev").iterdir() if e.is_char_device() or e.is_block_device()}
    assert nodes - {"console"} <= devices, "that one is of the container's own terminal"
    assert (plain_writes, writes) == (False, True)


async def test_a_sandbox_that_died_keeps_its_address_until_it_is_stopped(machine: Machine) -> None:
    """Nobody else is given it meanwhile, and nobody keeps it afterwards."""
    sandbox_id, _ = await machine.run("u1", FOREVER)
    address = (await machine.runtime.sandboxes("u1"))[0].ips[0]
    for pid in processes_in(f"{CGROUP_ROOT}/besteffort/podu1"):
        with contextlib.suppress(ProcessLookupError):  # the others end with the first of their namespace
            os.kill(pid, signal.SIGKILL)

    async def is_dead() -> bool:
        return not (await machine.runtime.sandboxes("u1"))[0].ready

    await eventually(is_dead)
    assert list(given_addresses(machine.network.addresses)) == [address]
    await machine.runtime.stop_sandbox(sandbox_id)
    assert given_addresses(machine.network.addresses) == {}


async def test_an_event_comes_when_the_end_can_be_seen(machine: Machine) -> None:
    runtime = machine.runtime
    seen: asyncio.Queue[tuple[RuntimeEvent, Phase]] = asyncio.Queue()

    async def follow() -> None:
        async for event in runtime.events():
            found = [c for c in await runtime.containers(event.pod_uid) if c.id == event.container_id]
            if found:
                seen.put_nowait((event, found[0].phase))

    task = asyncio.ensure_future(follow())
    await asyncio.sleep(0.05)
    try:
        ids = [(await machine.run(f"u{number}", "exit 4"))[1] for number in range(5)]
        ended: dict[str, Phase] = {}
        async with asyncio.timeout(PATIENCE_S):
            while len(ended) < len(ids):
                event, phase = await seen.get()
                if event.kind == "exited":
                    ended[event.container_id] = phase
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert ended == dict.fromkeys(ids, Phase.EXITED)
    assert {container.exit_code for container in await runtime.containers()} == {4}


async def test_running_out_of_memory_is_told(machine: Machine) -> None:
    runtime = machine.runtime
    sandbox = machine.sandbox("u1")
    sandbox_id = await runtime.run_sandbox(sandbox)
    spec = ContainerSpec(
        name="c",
        attempt=0,
        image="busybox",
        command=["tail", "/dev/zero"],
        log_path="c/0.log",
        resources=Resources(memory_limit_bytes=16 << 20),
    )
    events = runtime.events()
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.05)
    container_id = await runtime.create_container(sandbox_id, sandbox, spec)
    await runtime.start_container(container_id)
    await waiting
    async with asyncio.timeout(PATIENCE_S):
        while True:
            (container,) = await runtime.containers("u1")
            if container.phase is Phase.EXITED and container.reason == "OOMKilled":
                break
            await anext(events)
    assert container.exit_code == 137


async def test_failures_carry_reasons(machine: Machine) -> None:
    runtime = machine.runtime
    with pytest.raises(RuntimeFailure) as pulled:
        await runtime.pull_image("127.0.0.1:1/nothing")
    assert pulled.value.reason == "ErrImagePull"
    with pytest.raises(RuntimeFailure) as named:
        await runtime.image("Not A Name")
    assert named.value.reason == "InvalidImageName"
    with pytest.raises(NoSuchThing):
        await runtime.exec_sync("nothing", ["true"], 1)
    await runtime.stop_container("nothing", 0)
    await runtime.remove_container("nothing")
    await runtime.stop_sandbox("nothing")
    await runtime.remove_sandbox("nothing")
    _, container_id = await machine.run("u1", FOREVER)
    with pytest.raises(TimeoutError):
        await runtime.exec_sync(container_id, ["sleep", "60"], 0.3)
    sandbox = machine.sandbox("u2")
    sandbox_id = await runtime.run_sandbox(sandbox)
    spec = ContainerSpec(name="c", attempt=0, image="busybox", command=["/nowhere"], log_path="c/0.log")
    container_id = await runtime.create_container(sandbox_id, sandbox, spec)
    with pytest.raises(RuntimeFailure) as started:
        await runtime.start_container(container_id)
    assert started.value.reason == "RunContainerError"


async def test_containers_outlive_containerd_and_its_owner(machine: Machine) -> None:
    _, container_id = await machine.run("u1", FOREVER)
    first = machine.daemon.pid
    again, _ = make_daemon(machine.directory)
    await again.start()
    assert again.pid == first
    process = ProcessRecord.of(first)
    assert process is not None
    supervision = asyncio.ensure_future(again.supervise())
    os.kill(first, signal.SIGKILL)
    await wait_gone(process)
    runtime = ContainerdRuntime(again.paths.socket, SystemClock())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await until_again(again, first)
            (container,) = await runtime.containers("u1")
    finally:
        supervision.cancel()
        await asyncio.gather(supervision, return_exceptions=True)
        await runtime.close()
    assert (container.id, container.phase) == (container_id, Phase.RUNNING)


async def test_nothing_is_left_even_when_containerd_was_killed(tmp_path: Path, busybox: Path) -> None:
    daemon, network = make_daemon(tmp_path)
    sockets = set(SHIM_SOCKETS.glob("*")) if SHIM_SOCKETS.exists() else set()
    loopbacks = set(CNI_RESULTS.glob("cni-loopback-*"))
    await make_ground(tmp_path).lay(PLAN)
    await daemon.start()
    assert await daemon.until_networked()
    runtime = ContainerdRuntime(daemon.paths.socket, SystemClock())
    try:
        await asyncio.gather(*(runtime.run_sandbox(make_sandbox(tmp_path, uid)) for uid in ("a", "b", "c")))
        assert len(given_addresses(network.addresses)) == 3
    finally:
        await runtime.close()
        process = ProcessRecord.of(daemon.pid)
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        await wait_gone(process)
        again, _ = make_daemon(tmp_path)
        await again.cleanup()
        await make_ground(tmp_path).take_up()
    assert shims_of(daemon.paths.socket) == []
    assert mounts_below([tmp_path]) == []
    assert not Path("/sys/class/net", network.bridge).exists()
    assert cgroup_directories(CGROUP_ROOT) == []
    assert chain_name(network) not in saved_rules()
    assert not list(CNI_RESULTS.glob(f"{network.name}-*"))
    assert set(CNI_RESULTS.glob("cni-loopback-*")) <= loopbacks
    assert not (set(SHIM_SOCKETS.glob("*")) - sockets)
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_dir()] in (
        ["logs"],
        ["cni"],
        ["cni", "logs"],
    )


async def test_leaked_addresses_come_back_at_the_next_start(machine: Machine) -> None:
    leaked = machine.network.addresses / "10.199.7.77"
    leaked.parent.mkdir(parents=True, exist_ok=True)
    leaked.write_text("gone\r\neth0")
    os.utime(leaked, (1, 1))
    being_made = machine.network.addresses / "10.199.7.78"
    being_made.write_text("not listed yet\r\neth0")
    again, _ = make_daemon(machine.directory)
    await again.start()
    assert not leaked.exists()
    assert being_made.exists()


async def test_a_stopped_containerd_ends_no_caller_for_ever(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "REQUEST_S", 0.5)
    process = ProcessRecord.of(machine.daemon.pid)
    assert process is not None
    process.send(signal.SIGSTOP)
    runtime = ContainerdRuntime(machine.daemon.paths.socket, SystemClock())
    try:
        with pytest.raises(RuntimeFailure, match="DeadlineExceeded"):
            await runtime.status()
        process.send(signal.SIGCONT)
        assert (await runtime.status()).ready
    finally:
        process.send(signal.SIGCONT)
        await runtime.close()


async def test_one_without_a_pid_file_is_adopted(machine: Machine) -> None:
    first = machine.daemon.pid
    machine.daemon.paths.pid_file.unlink()
    again, _ = make_daemon(machine.directory)
    await again.start()
    assert again.pid == first


async def test_an_image_is_mounted_read_only_and_let_go(machine: Machine) -> None:
    """Its files are there, nobody can write to them, and they outlive the image."""
    runtime, mounts = machine.runtime, SystemMounts()
    target = machine.directory / "volume"
    target.mkdir()
    view = await runtime.view_image("busybox", "test/view")
    try:
        mounts.image(target, view)
        mounts.image(target, view)
        assert mounts.below(target) == [target]
        assert (target / "bin" / "busybox").stat().st_size > 0
        with pytest.raises(OSError, match="Read-only file system"):
            (target / "new").touch()
        await runtime.remove_image("busybox")
        assert (target / "bin" / "busybox").read_bytes()
    finally:
        mounts.unmount(target)
        await runtime.release_view("test/view")
    assert mounts.below(target) == []


def test_options_of_many_layers_are_shortened(tmp_path: Path) -> None:
    """mount(2) takes a page of options: a hundred layers with long paths are more."""
    layers = [tmp_path / ("x" * 60) / str(number) / "fs" for number in range(100)]
    for layer in layers:
        layer.mkdir(parents=True)
        (layer / layer.parent.name).touch()
    target = tmp_path / "target"
    target.mkdir()
    options = (f"lowerdir={':'.join(map(str, layers))}",)
    assert len(options[0]) > 4096
    mounts = SystemMounts()
    try:
        mounts.image(target, ImageView("overlay", "overlay", options))
        assert len(list(target.iterdir())) == 100
    finally:
        mounts.unmount(target)
