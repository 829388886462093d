"""What every runtime promises the kubelet, checked over the fake and over containerd.

The fake stands for the real one in thousands of tests: what it promises here, containerd must keep.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.runtimes.containerd.conftest import (
    PLAN,
    busybox,  # noqa: F401 - a fixture
    make_daemon,
    make_ground,
)
from wherry.images.load import load_image
from wherry.kit.clock import FakeClock, SystemClock
from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
from wherry.kubelet.runtimes.containers import Container, ContainerSpec, Phase
from wherry.kubelet.runtimes.failures import NoSuchThing, RuntimeFailure
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.runtime import Runtime, RuntimeEvent
from wherry.kubelet.runtimes.sandboxes import Sandbox, SandboxSpec
from wherry.kubelet.runtimes.usage import Meter

FOREVER = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"
IMAGE = "busybox"


@dataclass
class Trial:
    """A runtime with the image `busybox`, and the directory pods' logs go to."""

    runtime: Runtime
    directory: Path

    def sandbox_spec(self, uid: str, attempt: int = 0) -> SandboxSpec:
        return SandboxSpec(
            name=f"pod-{uid}",
            namespace="default",
            uid=uid,
            attempt=attempt,
            log_directory=str(self.directory / "logs" / uid),
        )

    async def sandbox(self, uid: str, attempt: int = 0) -> str:
        return await self.runtime.run_sandbox(self.sandbox_spec(uid, attempt))

    async def create(self, sandbox_id: str, uid: str, script: str = FOREVER, attempt: int = 0) -> str:
        spec = ContainerSpec(
            name="c",
            attempt=attempt,
            image=IMAGE,
            command=["sh", "-c", script],
            log_path=f"c/{attempt}.log",
            labels={"mine": "1"},
            annotations={"told": "2"},
        )
        return await self.runtime.create_container(sandbox_id, self.sandbox_spec(uid), spec)

    async def start(self, uid: str, script: str = FOREVER) -> tuple[str, str]:
        """A pod with one container that runs `script`; the ids of sandbox and container."""
        sandbox_id = await self.sandbox(uid)
        container_id = await self.create(sandbox_id, uid, script)
        await self.runtime.start_container(container_id)
        return sandbox_id, container_id

    async def only(self, uid: str) -> Container:
        (container,) = await self.runtime.containers(uid)
        return container

    async def only_sandbox(self, uid: str) -> Sandbox:
        (sandbox,) = await self.runtime.sandboxes(uid)
        return sandbox

    async def ended(self, uid: str) -> Container:
        """The pod's only container, once it has ended."""

        async def has() -> bool:
            return (await self.only(uid)).phase is Phase.EXITED

        await eventually(has)
        return await self.only(uid)


def exit_code_of(spec: ContainerSpec) -> int | None:
    """How a script ends at once, for a runtime that runs nothing; None if it does not."""
    match = re.fullmatch(r"exit (\d+)", spec.command[-1])
    return int(match[1]) if match else None


@pytest.fixture(params=["fake", pytest.param("containerd", marks=pytest.mark.cluster)])
async def trial(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Trial]:
    directory = tmp_path_factory.mktemp("r")
    if request.param == "fake":
        image = Image("sha256:" + "b" * 64, ("docker.io/library/busybox:latest", IMAGE), 1000)
        runtime = FakeRuntime(FakeClock(), [image])
        runtime.on_start = exit_code_of
        yield Trial(runtime, directory)
        await runtime.close()
        return
    daemon, _ = make_daemon(directory)
    ground = make_ground(directory)
    await ground.lay(PLAN)
    await daemon.start()
    assert await daemon.until_networked()
    real = ContainerdRuntime(daemon.paths.socket, SystemClock())
    try:
        await load_image(daemon.image_store, request.getfixturevalue("busybox"))

        async def is_known() -> bool:
            return await real.image(IMAGE) is not None

        await eventually(is_known)
        yield Trial(real, directory)
    finally:
        await real.close()
        await daemon.cleanup()
        await ground.take_up()


async def test_it_is_ready_and_empty(trial: Trial) -> None:
    status = await trial.runtime.status()
    assert (status.ready, status.network_ready, status.name) == (True, True, "containerd")
    assert await trial.runtime.sandboxes() == []
    assert await trial.runtime.containers() == []


async def test_life_of_a_sandbox(trial: Trial) -> None:
    runtime = trial.runtime
    sandbox_id = await trial.sandbox("u1")
    found = await trial.only_sandbox("u1")
    assert (found.id, found.name, found.namespace, found.uid) == (sandbox_id, "pod-u1", "default", "u1")
    assert found.ready
    assert len(found.ips) == 1
    await runtime.stop_sandbox(sandbox_id)
    assert not (await trial.only_sandbox("u1")).ready
    await runtime.stop_sandbox(sandbox_id)
    await runtime.remove_sandbox(sandbox_id)
    assert await runtime.sandboxes() == []


async def test_the_newest_comes_first_and_pods_are_apart(trial: Trial) -> None:
    first = await trial.sandbox("u1")
    await trial.runtime.stop_sandbox(first)
    second = await trial.sandbox("u1", attempt=1)
    other = await trial.sandbox("u2")
    assert [s.id for s in await trial.runtime.sandboxes("u1")] == [second, first]
    assert {s.id for s in await trial.runtime.sandboxes()} == {first, second, other}
    one, two = await trial.create(second, "u1"), await trial.create(second, "u1", attempt=1)
    await trial.create(other, "u2")
    assert [c.id for c in await trial.runtime.containers("u1")] == [two, one]
    assert len(await trial.runtime.containers()) == 3


async def test_life_of_a_container(trial: Trial) -> None:
    runtime = trial.runtime
    sandbox_id = await trial.sandbox("u1")
    container_id = await trial.create(sandbox_id, "u1")
    made = await trial.only("u1")
    assert (made.id, made.sandbox_id, made.name, made.attempt) == (container_id, sandbox_id, "c", 0)
    assert (made.phase, made.started, made.finished) == (Phase.CREATED, None, None)
    assert made.labels["mine"] == "1"
    assert made.annotations["told"] == "2"
    assert Path(made.log_path) == trial.directory / "logs" / "u1" / "c" / "0.log"
    await runtime.start_container(container_id)
    running = await trial.only("u1")
    assert running.phase is Phase.RUNNING
    assert running.started is not None
    await runtime.stop_container(container_id, 10)
    ended = await trial.only("u1")
    assert ended.phase is Phase.EXITED
    assert ended.finished is not None
    await runtime.stop_container(container_id, 10)
    await runtime.remove_container(container_id)
    assert await runtime.containers() == []
    assert (await trial.only_sandbox("u1")).ready


@pytest.mark.parametrize(("script", "code", "reason"), [("exit 0", 0, "Completed"), ("exit 3", 3, "Error")])
async def test_how_a_container_ended(trial: Trial, script: str, code: int, reason: str) -> None:
    await trial.start("u1", script)
    ended = await trial.ended("u1")
    assert (ended.exit_code, ended.reason) == (code, reason)


async def test_a_sandbox_takes_its_containers_with_it(trial: Trial) -> None:
    sandbox_id, _ = await trial.start("u1")
    await trial.runtime.stop_sandbox(sandbox_id)
    assert (await trial.ended("u1")).exit_code != 0
    await trial.runtime.remove_sandbox(sandbox_id)
    assert await trial.runtime.containers() == []


async def test_privileged_containers_run_in_privileged_sandboxes_alone(trial: Trial) -> None:
    """Who forgets to say it of the sandbox never gets the container."""
    privileged = ContainerSpec(
        name="c",
        attempt=0,
        image=IMAGE,
        command=["sh", "-c", FOREVER],
        log_path="c/0.log",
        security={"privileged": True},
    )
    plain, wide = trial.sandbox_spec("u1"), replace(trial.sandbox_spec("u2"), privileged=True)
    sandboxes = [await trial.runtime.run_sandbox(spec) for spec in (plain, wide)]
    with pytest.raises(RuntimeFailure, match="no privileged container allowed in sandbox"):
        await trial.runtime.create_container(sandboxes[0], plain, privileged)
    assert await trial.runtime.containers("u1") == []
    await trial.runtime.start_container(await trial.runtime.create_container(sandboxes[1], wide, privileged))
    assert (await trial.only("u2")).phase is Phase.RUNNING
    unprivileged = replace(privileged, name="d", log_path="d/0.log", security={})
    await trial.runtime.start_container(
        await trial.runtime.create_container(sandboxes[1], wide, unprivileged)
    )
    assert [c.phase for c in await trial.runtime.containers("u2")] == [Phase.RUNNING, Phase.RUNNING]


async def test_nothing_is_made_in_a_sandbox_that_is_gone(trial: Trial) -> None:
    sandbox_id = await trial.sandbox("u1")
    await trial.runtime.stop_sandbox(sandbox_id)
    await trial.runtime.remove_sandbox(sandbox_id)
    with pytest.raises(RuntimeFailure):
        await trial.create(sandbox_id, "u1")


async def test_what_is_gone(trial: Trial) -> None:
    runtime = trial.runtime
    for harmless in (
        runtime.stop_sandbox("none"),
        runtime.remove_sandbox("none"),
        runtime.stop_container("none", 1),
        runtime.remove_container("none"),
        runtime.remove_image("nowhere.example/none"),
    ):
        await harmless
    with pytest.raises(NoSuchThing):
        await runtime.start_container("none")
    with pytest.raises(NoSuchThing):
        await runtime.exec_sync("none", ["true"], 5)
    with pytest.raises(NoSuchThing):
        await runtime.reopen_log("none")
    assert await runtime.image("nowhere.example/none") is None


async def test_nothing_is_executed_in_what_has_ended(trial: Trial) -> None:
    _, container_id = await trial.start("u1", "exit 0")
    await trial.ended("u1")
    with pytest.raises(RuntimeFailure):
        await trial.runtime.exec_sync(container_id, ["true"], 5)


async def test_a_command_in_a_container(trial: Trial) -> None:
    _, container_id = await trial.start("u1")
    assert (await trial.runtime.exec_sync(container_id, ["true"], 5)).exit_code == 0
    await trial.runtime.reopen_log(container_id)


async def test_images(trial: Trial) -> None:
    runtime = trial.runtime
    image = await runtime.image(IMAGE)
    assert image is not None
    assert "docker.io/library/busybox:latest" in image.names
    assert image.size_bytes > 0
    assert not image.pinned
    by_id = await runtime.image(image.id)
    assert by_id is not None
    assert by_id.id == image.id
    assert image.id in {found.id for found in await runtime.images()}
    await runtime.remove_image(image.id)

    async def is_gone() -> bool:
        return await runtime.image(IMAGE) is None

    await eventually(is_gone)
    assert image.id not in {found.id for found in await runtime.images()}
    await runtime.remove_image(image.id)


async def test_a_pull_that_fails_has_upstreams_reason(trial: Trial) -> None:
    with pytest.raises(RuntimeFailure) as failure:
        await trial.runtime.pull_image("127.0.0.1:1/none")
    assert failure.value.reason == "ErrImagePull"


async def test_the_container_names_its_image(trial: Trial) -> None:
    """Images in use are known by what containers say of theirs."""
    await trial.start("u1")
    image = await trial.runtime.image(IMAGE)
    assert image is not None
    container = await trial.only("u1")
    assert {container.image, container.image_id} & {image.id, *image.names}


async def test_what_is_used_is_told_of_what_runs(trial: Trial) -> None:
    assert isinstance(trial.runtime, Meter)
    await trial.start("u1")
    await trial.start("u2", "exit 0")
    await trial.ended("u2")
    (usage,) = await trial.runtime.usage()
    assert (usage.name, usage.pod_name, usage.pod_uid) == ("c", "pod-u1", "u1")
    directory = await trial.runtime.image_filesystem()
    assert directory == "" or Path(directory).is_dir()


async def test_events_come_when_what_they_say_can_be_seen(trial: Trial) -> None:
    heard: list[tuple[RuntimeEvent, Phase]] = []

    async def follow() -> None:
        async for event in trial.runtime.events():
            found = await trial.runtime.containers(event.pod_uid)
            heard.extend((event, c.phase) for c in found if c.id == event.container_id)

    following = asyncio.ensure_future(follow())
    try:
        sandbox_id = await trial.sandbox("first")
        attempts = itertools.count()

        async def hears() -> bool:
            """Whether events have begun to come: what happens before is not told."""
            first = await trial.create(sandbox_id, "first", "exit 0", next(attempts))
            await trial.runtime.start_container(first)
            return bool(heard)

        await eventually(hears)
        _, container_id = await trial.start("u1")
        await trial.runtime.stop_container(container_id, 10)

        def ended() -> bool:
            return any(event.kind == "exited" and event.container_id == container_id for event, _ in heard)

        await eventually(ended)
    finally:
        following.cancel()
        await asyncio.wait([following])
    own = [(event, phase) for event, phase in heard if event.container_id == container_id]
    assert {event.pod_uid for event, _ in own} == {"u1"}
    assert {phase for event, phase in own if event.kind == "exited"} == {Phase.EXITED}


async def test_what_is_told_is_not_changed_by_others(trial: Trial) -> None:
    await trial.start("u1")
    before = await trial.only("u1")
    assert replace(before) == await trial.only("u1")
