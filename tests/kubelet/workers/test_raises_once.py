"""Whatever a worker depends on raises once what nobody thought of: the pod comes and goes all the same."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import Node, is_ready, node
from tests.kubelet.workers.test_kill_points import remains
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.events import EventRecorder
from wherry.kit.backoff import BackOff
from wherry.kit.clock import FakeClock
from wherry.kubelet.cgroups import PodCgroups
from wherry.kubelet.images import Images
from wherry.kubelet.probes.runner import Probes
from wherry.kubelet.references import References
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.status_writer import StatusWriter
from wherry.kubelet.volumes.pod_volumes import PodVolumes
from wherry.kubelet.volumes.tokens import Tokens
from wherry.kubelet.workers.remains import Remains

UP = [
    *((FakeRuntime, name) for name in ("sandboxes", "containers", "run_sandbox", "create_container")),
    *((FakeRuntime, name) for name in ("start_container", "image")),
    (Client, "patch"),
    *((PodVolumes, name) for name in ("set_up", "references")),
    (PodCgroups, "create"),
    *((Probes, name) for name in ("follow", "health")),
    *((StatusWriter, name) for name in ("put", "seen")),
    (Images, "ensure"),
    (BackOff, "remaining_s"),
    (Tokens, "refresh_in_s"),
    (EventRecorder, "event"),
    *((FakeClock, name) for name in ("now", "monotonic")),
]
DOWN = [
    *((FakeRuntime, name) for name in ("sandboxes", "containers", "stop_container", "stop_sandbox")),
    (FakeRuntime, "remove_sandbox"),
    *((Client, name) for name in ("patch", "delete")),
    (PodVolumes, "tear_down"),
    (PodCgroups, "remove"),
    (Remains, "remove"),
    *((Probes, name) for name in ("stop_container", "forget")),
    *((StatusWriter, name) for name in ("put", "flush", "forget")),
    (References, "release"),
    (Tokens, "forget"),
    (BackOff, "forget"),
    (Images, "forget"),
    (EventRecorder, "event"),
    *((FakeClock, name) for name in ("now", "monotonic")),
]


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    (tmp_path / "cgroup" / "cpu").mkdir(parents=True)
    async with node(tmp_path) as running:
        yield running


class Once:
    """A method that raises the first time it is called; what all share (clock, client), by a worker."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.raised = False
        self._workers_only = owner in (FakeClock, Client)
        real = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._check()
            return real(*arguments, **named)

        async def call_and_wait(*arguments: Any, **named: Any) -> Any:
            self._check()
            return await real(*arguments, **named)

        monkeypatch.setattr(owner, name, call_and_wait if inspect.iscoroutinefunction(real) else call)

    def _check(self) -> None:
        if not self.raised and not (self._workers_only and not _is_a_workers()):
            self.raised = True
            raise RuntimeError("nobody thought of this")


def _is_a_workers() -> bool:
    task = asyncio.current_task()
    return task is not None and task.get_name().startswith(("pod default/p/", "pod status/"))


async def ready(made: Node) -> bool:
    await made.clock.advance(0.5)
    return is_ready(await made.status("p"))


@pytest.mark.parametrize(("owner", "name"), UP, ids=[f"{o.__name__}.{n}" for o, n in UP])
async def test_on_the_way_up(made: Node, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    once = Once(monkeypatch, owner, name)
    await made.create("p", {"readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1}})
    await eventually(lambda: ready(made))
    if name == "remaining_s":
        made.runtime.finish(made.runtime.find("web").id, 1)
        await eventually(lambda: once.raised)
        await eventually(lambda: ready(made))
    assert once.raised


@pytest.mark.parametrize(("owner", "name"), DOWN, ids=[f"{o.__name__}.{n}" for o, n in DOWN])
async def test_on_the_way_down(made: Node, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    pod = await made.create("p", {"readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1}})
    await eventually(lambda: ready(made))
    for file in (made.config.cgroup_mount / "cpu").rglob("*.*"):
        file.unlink()
    once = Once(monkeypatch, owner, name)
    await made.admin.delete(PODS, "p", "default")

    async def gone() -> bool:
        await made.clock.advance(0.5)
        return await made.gone("p") and remains(made, pod["metadata"]["uid"]) == []

    await eventually(gone)
    assert once.raised


async def test_an_object_that_could_not_be_followed_is_followed_later(
    made: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = {"name": "c", "namespace": "default"}
    await made.admin.create(
        CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"k": "v"}}
    )
    once = Once(monkeypatch, Cache, "start")
    volumes = [{"name": "v", "configMap": {"name": "c"}}]
    await made.create("p", {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=volumes)
    await eventually(lambda: ready(made))
    assert once.raised


@pytest.mark.parametrize("kind", ["postStart", "preStop"])
async def test_a_hook_that_always_raises_stops_no_pod_from_ending(
    made: Node, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    async def raise_always(*_: Any) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(FakeRuntime, "exec_sync", raise_always)
    pod = await made.create("p", {"lifecycle": {kind: {"exec": {"command": ["x"]}}}})
    if kind == "preStop":
        await eventually(lambda: ready(made))
    else:
        await made.said("FailedPostStartHook", "PostStartHook failed")
    for file in (made.config.cgroup_mount / "cpu").rglob("*.*"):
        file.unlink()
    await made.admin.delete(PODS, "p", "default")

    async def gone() -> bool:
        await made.clock.advance(0.5)
        return await made.gone("p") and remains(made, pod["metadata"]["uid"]) == []

    await eventually(gone)


async def test_a_pod_that_cannot_even_be_judged_fails(made: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_always(*_: Any, **__: Any) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr("wherry.kubelet.workers.pool.find_objection", raise_always)
    await made.create("p")
    status = await made.until("p", lambda s: s.get("phase") == "Failed")
    assert status["reason"] == "UnexpectedAdmissionError"
