"""What every runtime promises the kubelet: one suite, run over the fake and over a real containerd.

Each promise is a function that takes a `Party`: the runtime, and what differs between one that runs
processes and one that plays it. It leaves its sandboxes behind; `promise` names are the tests' ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.timing import PATIENCE_S
from wherry.kubelet.runtimes.containers import Container, ContainerSpec, Phase, Resources
from wherry.kubelet.runtimes.failures import NoSuchThing, RuntimeFailure
from wherry.kubelet.runtimes.images import ImageViews
from wherry.kubelet.runtimes.labels import CONTAINER_NAME, POD_UID
from wherry.kubelet.runtimes.runtime import Runtime, RuntimeEvent
from wherry.kubelet.runtimes.sandboxes import SandboxSpec

FOREVER = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done")
NOWHERE = ("/nowhere",)


def exits_with(code: int) -> Sequence[str]:
    """The command of a container that ends by itself."""
    return ("sh", "-c", f"exit {code}")


@dataclass(frozen=True)
class Party:
    """One runtime, with the image `busybox` on it. `sandbox(uid)` describes a pod's sandbox."""

    runtime: Runtime
    sandbox: Callable[[str], SandboxSpec]

    async def run(self, uid: str, command: Sequence[str], *, attempt: int = 0) -> tuple[str, str]:
        """Have a sandbox with one container that runs the command; the ids of both."""
        spec = replace(self.sandbox(uid), attempt=attempt)
        sandbox_id = await self.runtime.run_sandbox(spec)
        return sandbox_id, await self.container(sandbox_id, spec, command, attempt=attempt)

    async def container(
        self, sandbox_id: str, sandbox: SandboxSpec, command: Sequence[str], *, attempt: int = 0
    ) -> str:
        """Start a container; its id."""
        container_id = await self.runtime.create_container(
            sandbox_id, sandbox, make_container(command, attempt)
        )
        await self.runtime.start_container(container_id)
        return container_id

    async def ended(self, uid: str, container_id: str) -> Container:
        """The container once its end is seen, by its event."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = [c for c in await self.runtime.containers(uid) if c.id == container_id]
                if found and found[0].phase is Phase.EXITED:
                    return found[0]
                await asyncio.sleep(0.01)


def make_container(command: Sequence[str], attempt: int = 0) -> ContainerSpec:
    """A container named `c` of the image `busybox`."""
    return ContainerSpec(
        name="c",
        attempt=attempt,
        image="busybox",
        command=command,
        log_path=f"c/{attempt}.log",
        labels={CONTAINER_NAME: "c", "own": "label"},
        annotations={"own": "annotation"},
    )


async def a_container_shows_what_it_was_made_from(party: Party) -> None:
    uid = "shows"
    spec = party.sandbox(uid)
    sandbox_id = await party.runtime.run_sandbox(spec)
    container_id = await party.runtime.create_container(sandbox_id, spec, make_container(FOREVER, 3))
    (made,) = await party.runtime.containers(uid)
    assert (made.id, made.sandbox_id, made.name, made.attempt) == (container_id, sandbox_id, "c", 3)
    assert (made.phase, made.started, made.finished) == (Phase.CREATED, None, None)
    assert made.labels["own"] == "label"
    assert made.annotations["own"] == "annotation"
    assert made.log_path == f"{spec.log_directory}/c/3.log"
    await party.runtime.start_container(container_id)
    (running,) = await party.runtime.containers(uid)
    assert running.phase is Phase.RUNNING
    assert running.started is not None
    assert running.started >= running.created


async def a_sandbox_has_an_address_while_it_is_ready(party: Party) -> None:
    sandbox_id, _ = await party.run("address", FOREVER)
    (sandbox,) = await party.runtime.sandboxes("address")
    assert (sandbox.id, sandbox.ready, sandbox.attempt, len(sandbox.ips)) == (sandbox_id, True, 0, 1)
    assert (sandbox.name, sandbox.namespace, sandbox.uid) == ("pod-address", "default", "address")
    await party.runtime.stop_sandbox(sandbox_id)
    (sandbox,) = await party.runtime.sandboxes("address")
    assert not sandbox.ready, "whatever address it is still shown with"


async def what_is_listed_is_of_one_pod_and_newest_first(party: Party) -> None:
    first, _ = await party.run("listed", exits_with(0))
    await party.runtime.stop_sandbox(first)
    second, old = await party.run("listed", exits_with(0), attempt=1)
    await party.ended("listed", old)
    new = await party.container(second, replace(party.sandbox("listed"), attempt=1), FOREVER, attempt=2)
    await party.run("other", FOREVER)
    assert [s.id for s in await party.runtime.sandboxes("listed")] == [second, first]
    assert [c.id for c in await party.runtime.containers("listed")][:2] == [new, old]
    everything = {c.id for c in await party.runtime.containers()}
    assert everything > {c.id for c in await party.runtime.containers("listed")}


async def an_end_leaves_its_code_and_reason(party: Party) -> None:
    for code, reason in ((0, "Completed"), (3, "Error")):
        uid = f"end{code}"
        _, container_id = await party.run(uid, exits_with(code))
        ended = await party.ended(uid, container_id)
        assert (ended.exit_code, ended.reason) == (code, reason)
        assert ended.started is not None
        assert ended.finished is not None
        # containerd notes the start when the shim has answered: what ends at once has ended before.
        assert ended.created <= min(ended.started, ended.finished)


async def an_end_is_told_when_it_can_be_seen(party: Party) -> None:
    events = party.runtime.events()
    told: asyncio.Queue[RuntimeEvent] = asyncio.Queue()

    async def follow() -> None:
        async for event in events:
            told.put_nowait(event)

    following = asyncio.ensure_future(follow())
    try:
        _, container_id = await party.run("told", FOREVER)
        await party.runtime.stop_container(container_id, 10)
        async with asyncio.timeout(PATIENCE_S):
            while ((event := await told.get()).kind, event.container_id) != ("exited", container_id):
                pass
        assert event.pod_uid in ("told", "")
        (container,) = await party.runtime.containers("told")
        assert container.phase is Phase.EXITED
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def what_does_not_start_says_so_and_can_be_removed(party: Party) -> None:
    spec = party.sandbox("never")
    sandbox_id = await party.runtime.run_sandbox(spec)
    container_id = await party.runtime.create_container(sandbox_id, spec, make_container(NOWHERE))
    with pytest.raises(RuntimeFailure):
        await party.runtime.start_container(container_id)
    left = await party.runtime.containers("never")
    assert [c.phase for c in left] in ([], [Phase.EXITED], [Phase.CREATED])
    await party.runtime.remove_container(container_id)
    assert await party.runtime.containers("never") == []


async def a_command_inside_answers(party: Party) -> None:
    _, container_id = await party.run("inside", FOREVER)
    assert (await party.runtime.exec_sync(container_id, ["true"], 10)).exit_code == 0
    await party.runtime.stop_container(container_id, 10)
    with pytest.raises(RuntimeFailure):
        await party.runtime.exec_sync(container_id, ["true"], 10)


async def stopping_a_sandbox_ends_its_containers(party: Party) -> None:
    sandbox_id, container_id = await party.run("stopped", FOREVER)
    await party.runtime.stop_sandbox(sandbox_id)
    assert (await party.ended("stopped", container_id)).exit_code != 0
    with pytest.raises(RuntimeFailure):
        await party.runtime.exec_sync(container_id, ["true"], 10)
    await party.runtime.stop_sandbox(sandbox_id)


async def nothing_is_made_in_a_sandbox_that_is_gone(party: Party) -> None:
    sandbox_id, _ = await party.run("gone", FOREVER)
    await party.runtime.stop_sandbox(sandbox_id)
    await party.runtime.remove_sandbox(sandbox_id)
    assert await party.runtime.sandboxes("gone") == []
    assert await party.runtime.containers("gone") == []
    with pytest.raises(RuntimeFailure):
        await party.runtime.create_container(sandbox_id, party.sandbox("gone"), make_container(FOREVER))


async def one_attempt_of_a_container_is_made_once(party: Party) -> None:
    sandbox_id, container_id = await party.run("once", exits_with(0))
    await party.ended("once", container_id)
    spec = party.sandbox("once")
    with pytest.raises(RuntimeFailure, match="is reserved for"):
        await party.runtime.create_container(sandbox_id, spec, make_container(FOREVER))
    with pytest.raises(RuntimeFailure, match="is reserved for"):
        await party.runtime.run_sandbox(spec)
    await party.runtime.remove_container(container_id)
    await party.container(sandbox_id, spec, FOREVER)


async def a_privileged_container_wants_a_privileged_sandbox(party: Party) -> None:
    spec = party.sandbox("privileged")
    sandbox_id = await party.runtime.run_sandbox(spec)
    privileged = replace(make_container(FOREVER), security={"privileged": True})
    with pytest.raises(RuntimeFailure, match="no privileged container allowed in sandbox"):
        await party.runtime.create_container(sandbox_id, spec, privileged)


async def what_is_gone_is_stopped_and_removed_without_complaint(party: Party) -> None:
    runtime = party.runtime
    await runtime.stop_container("nothing", 0)
    await runtime.remove_container("nothing")
    await runtime.stop_sandbox("nothing")
    await runtime.remove_sandbox("nothing")
    await runtime.remove_image("127.0.0.1:1/nothing:1")
    assert await runtime.image("127.0.0.1:1/nothing:1") is None
    with pytest.raises(NoSuchThing):
        await runtime.exec_sync("nothing", ["true"], 1)


async def an_image_is_found_by_every_name_and_pulled_or_refused(party: Party) -> None:
    image = await party.runtime.image("docker.io/library/busybox:latest")
    assert image is not None
    assert await party.runtime.image(image.id) == image
    assert image.id in {i.id for i in await party.runtime.images()}
    with pytest.raises(RuntimeFailure) as refused:
        await party.runtime.pull_image("127.0.0.1:1/nothing:1")
    assert refused.value.reason == "ErrImagePull"


async def an_image_is_shown_as_often_as_asked_and_let_go(party: Party) -> None:
    assert isinstance(party.runtime, ImageViews)
    first = await party.runtime.view_image("busybox", "contract/view")
    assert first == await party.runtime.view_image("busybox", "contract/view")
    assert first.kind
    with pytest.raises(NoSuchThing):
        await party.runtime.view_image("nothing", "contract/other")
    await party.runtime.release_view("contract/view")
    await party.runtime.release_view("contract/view")


async def it_says_who_it_is_and_that_it_is_ready(party: Party) -> None:
    status = await party.runtime.status()
    assert (status.ready, status.network_ready, status.name) == (True, True, "containerd")
    assert status.version


async def limits_are_told_and_changed_while_it_runs(party: Party) -> None:
    uid = "limits"
    spec = party.sandbox(uid)
    sandbox_id = await party.runtime.run_sandbox(spec)
    first = Resources(cpu_shares=204, cpu_quota_us=50_000, cpu_period_us=100_000, memory_limit_bytes=64 << 20)
    made = replace(make_container(FOREVER), resources=first)
    container_id = await party.runtime.create_container(sandbox_id, spec, made)
    await party.runtime.start_container(container_id)
    (before,) = await party.runtime.containers(uid)
    assert before.resources == first
    await party.runtime.update_container(container_id, Resources(memory_limit_bytes=96 << 20))
    more = Resources(cpu_shares=512, cpu_quota_us=80_000, cpu_period_us=100_000)
    await party.runtime.update_container(container_id, more)
    (after,) = await party.runtime.containers(uid)
    assert after.resources == replace(more, memory_limit_bytes=96 << 20)
    assert (after.id, after.phase, after.started) == (container_id, Phase.RUNNING, before.started)
    with pytest.raises(NoSuchThing):
        await party.runtime.update_container("nothing", first)


PROMISES: Sequence[Callable[[Party], Awaitable[None]]] = (
    a_container_shows_what_it_was_made_from,
    a_sandbox_has_an_address_while_it_is_ready,
    what_is_listed_is_of_one_pod_and_newest_first,
    an_end_leaves_its_code_and_reason,
    an_end_is_told_when_it_can_be_seen,
    what_does_not_start_says_so_and_can_be_removed,
    a_command_inside_answers,
    stopping_a_sandbox_ends_its_containers,
    nothing_is_made_in_a_sandbox_that_is_gone,
    one_attempt_of_a_container_is_made_once,
    a_privileged_container_wants_a_privileged_sandbox,
    what_is_gone_is_stopped_and_removed_without_complaint,
    limits_are_told_and_changed_while_it_runs,
    an_image_is_found_by_every_name_and_pulled_or_refused,
    an_image_is_shown_as_often_as_asked_and_let_go,
    it_says_who_it_is_and_that_it_is_ready,
)


def make_sandbox_below(directory: Path, cgroup_root: str) -> Callable[[str], SandboxSpec]:
    """Describes sandboxes whose logs lie below the directory."""

    def sandbox(uid: str) -> SandboxSpec:
        return SandboxSpec(
            name=f"pod-{uid}",
            namespace="default",
            uid=uid,
            hostname=f"pod-{uid}",
            log_directory=str(directory / "logs" / uid),
            cgroup_parent=f"{cgroup_root}/besteffort/pod{uid}",
            labels={POD_UID: uid},
        )

    return sandbox
