"""kill -9 between any two effects of a worker: the next agent comes to the same end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import Node, is_ready, make_kubelet, node
from tests.kubelet.workers.fuse import Fuse, Fused
from wherry.api.core.pods import PODS
from wherry.kit.clock import settle
from wherry.kubelet.cgroups import PodCgroups
from wherry.kubelet.runtimes.containers import Phase
from wherry.kubelet.volumes.pod_volumes import PodVolumes
from wherry.kubelet.volumes.records import Records
from wherry.objects.meta import Object

Check = Callable[[], Awaitable[bool]]
INIT = {"name": "init", "image": "nginx:1.27"}
POD: Object = {
    "restartPolicy": "Always",
    "initContainers": [INIT],
    "containers": [
        {"name": "web", "image": "nginx:1.27", "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        {"name": "side", "image": "nginx:1.27"},
    ],
    "volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}],
}


@asynccontextmanager
async def machine(tmp_path: Path, number: int) -> AsyncIterator[Node]:
    """A node with an agent; init containers end well at once."""
    directory = tmp_path / str(number)
    (directory / "cgroup" / "cpu").mkdir(parents=True)
    async with node(directory) as made:
        made.runtime.on_start = lambda spec: 0 if spec.name == "init" else None
        yield made


async def exchange(made: Node, fuse: Fuse | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another agent, killed when the fuse is blown (never without one)."""
    await made.kubelet.close()
    runtime: Any = made.runtime if fuse is None else Fused(made.runtime, fuse)
    mounts: Any = made.mounts if fuse is None else Fused(made.mounts, fuse)
    kubelet = make_kubelet(made.rig, made.config, runtime, made.clock, mounts, made.prober)
    if fuse is not None:
        kubelet._client = Fused(kubelet._client, fuse)  # type: ignore[assignment]
        effects = (
            (PodVolumes, ("set_up", "tear_down")),
            (Records, ("of_volume",)),
            (PodCgroups, ("create", "remove")),
        )
        for owner, names in effects:
            for name in names:
                monkeypatch.setattr(owner, name, fuse.wrap(getattr(owner, name), name))
    made.kubelet = kubelet
    await kubelet.start()


async def ready(made: Node) -> bool:
    await made.clock.advance(0.5)
    return is_ready(await made.status("p"))


async def gone(made: Node, uid: str) -> bool:
    return await made.gone("p") and remains(made, uid) == []


def remains(made: Node, uid: str) -> list[str]:
    """Everything of the pod that is on the machine."""
    found = [f"sandbox {s}" for s in made.runtime._sandboxes]
    found += [f"container {c}" for c in made.runtime._containers]
    found += [f"mount {point}" for point in made.mounts.mounted]
    paths = [made.config.pod_dir(uid), made.config.pod_log_dir("default", "p", uid)]
    paths += (made.config.cgroup_mount / "cpu").rglob(f"pod{uid}")
    return found + [str(path) for path in paths if path.exists()]


async def until_over(made: Node, over: Check) -> None:
    """Return when `over` holds, while time passes."""

    async def holds() -> bool:
        await made.clock.advance(0.5)
        return await over()

    await eventually(holds)


async def until_blown(made: Node, fuse: Fuse, over: Check) -> bool:
    """Return when the agent was killed, or when it came to its end (`over`) before; whether it was killed."""

    async def either() -> bool:
        return fuse.is_blown or await over()

    await until_over(made, either)
    await settle()
    return fuse.is_blown


async def test_on_the_way_up(tmp_path: Path) -> None:
    async def kill(fuse: Fuse, number: int) -> None:
        async with machine(tmp_path, number) as made:
            with pytest.MonkeyPatch.context() as monkeypatch:
                await exchange(made, fuse, monkeypatch)
                await made.create("p", **POD)
                await until_blown(made, fuse, partial(ready, made))
            await exchange(made, None, pytest.MonkeyPatch())
            await eventually(partial(ready, made))
            status = await made.status("p")
            statuses = status["initContainerStatuses"] + status["containerStatuses"]
            restarts = {s["name"]: s["restartCount"] for s in statuses}
            assert restarts == {"init": 0, "web": 0, "side": 0}
            assert made.runtime.names() == ["side", "web"]
            assert len([s for s in made.runtime._sandboxes.values() if s.ready]) == 1
            assert made.runtime.names(Phase.CREATED) == []

    await at_every_point(
        kill, "run_sandbox", "create_container", "start_container", "patch", "of_volume", "tmpfs", "set_up"
    )


async def test_on_the_way_down(tmp_path: Path) -> None:
    async def kill(fuse: Fuse, number: int) -> None:
        async with machine(tmp_path, number) as made:
            uid = (await made.create("p", **POD))["metadata"]["uid"]
            await eventually(partial(ready, made))
            for file in (made.config.cgroup_mount / "cpu").rglob("*.*"):
                file.unlink()  # a real cgroup's files go with it
            with pytest.MonkeyPatch.context() as monkeypatch:
                await exchange(made, fuse, monkeypatch)
                await made.admin.delete(PODS, "p", "default")
                await until_blown(made, fuse, partial(gone, made, uid))
            await exchange(made, None, pytest.MonkeyPatch())
            try:
                await until_over(made, partial(gone, made, uid))
            except AssertionError:
                raise AssertionError(f"there remain {remains(made, uid)}") from None

    await at_every_point(kill, "stop_container", "stop_sandbox", "tear_down", "delete", "remove_sandbox")


async def at_every_point(kill: Callable[[Fuse, int], Awaitable[None]], *expected: str) -> None:
    """Kill an agent at each of its effects, of which `expected` are some; the first one is left alone."""
    whole = Fuse(1)
    await kill(whole, 0)
    assert set(expected) <= set(whole.seen)
    points = [(name, count) for name, most in whole.seen.items() for count in range(1, most + 1)]
    for number, (name, count) in enumerate(points, start=1):
        try:
            await kill(Fuse(count, name), number)
        except AssertionError as error:
            raise AssertionError(f"killed at {name} {count}: {error}") from error
