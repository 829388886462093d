"""Volumes that are images: pulled first, missed by their own containers alone, let go with the pod."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import Node, node, waiting
from tests.kubelet.test_life import restart_agent
from wherry.api.core.pods import PODS
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.volumes.base import MountFailure
from wherry.kubelet.volumes.sub_path import bind_sub_path

DATA = "registry.example/data:1"
MOUNT = {"name": "v", "mountPath": "/v"}
SPEC: dict[str, Any] = {
    "containers": [
        {"name": "web", "image": "nginx:1.27", "volumeMounts": [MOUNT]},
        {"name": "side", "image": "nginx:1.27"},
    ],
    "volumes": [{"name": "v", "image": {"reference": DATA, "pullPolicy": "IfNotPresent"}}],
}


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        running.runtime.pullable[DATA] = Image("sha256:" + "d" * 64, (DATA,), 1)
        yield running


async def test_an_image_is_pulled_and_mounted_and_let_go(made: Node) -> None:
    pod = await made.create("p", **SPEC)
    await made.ready("p")
    uid = pod["metadata"]["uid"]
    (target,) = made.mounts.mounted
    assert target == made.config.pod_dir(uid) / "volumes" / "kubernetes.io~image" / "v"
    assert list(made.runtime.views) == [f"wherry/volume/{uid}/v"]
    specs = {spec.name: spec for spec in made.runtime.container_specs.values()}
    (mount,) = [m for m in specs["web"].mounts if m.container_path == "/v"]
    assert (mount.host_path, mount.read_only) == (str(target), True)
    await made.said("Pulling", f'Pulling image "{DATA}"')
    await made.admin.delete(PODS, "p", "default", grace_period_s=0)
    await eventually(lambda: made.gone("p"))
    await eventually(lambda: not made.runtime.views)
    assert made.mounts.mounted == []


async def test_only_who_mounts_it_waits_for_it(made: Node) -> None:
    failure = RuntimeFailure("no such host", "ErrImagePull")
    made.runtime.failures["pull_image"] += [failure, failure]
    await made.create("p", **SPEC)
    status = await made.until("p", lambda s: waiting(s, 0) == "ErrImagePull")
    assert status["containerStatuses"][0]["state"]["waiting"]["message"] == "no such host"
    await made.until("p", lambda s: s["containerStatuses"][1].get("ready"))
    await made.said("Failed", "Error: ErrImagePull")

    async def backs_off() -> bool:
        await made.clock.advance(1)
        return waiting(await made.status("p"), 0) == "ImagePullBackOff"

    await eventually(backs_off)

    async def ready() -> bool:
        await made.clock.advance(5)
        status = await made.status("p")
        return all(one.get("ready") for one in status["containerStatuses"])

    await eventually(ready)
    restarts = [one["restartCount"] for one in (await made.status("p"))["containerStatuses"]]
    assert restarts == [0, 0]


async def test_another_agent_neither_pulls_nor_needs_the_image(made: Node) -> None:
    volume = {"name": "v", "image": {"reference": DATA, "pullPolicy": "Always"}}
    await made.create("p", **{**SPEC, "volumes": [volume]})
    await made.ready("p")
    pulls = made.runtime.calls["pull_image"]
    mounted = list(made.mounts.mounted)

    async def removed() -> None:
        await made.runtime.remove_image(DATA)

    await restart_agent(made, removed)
    made.runtime.finish(made.runtime.find("web").id, 1)
    await made.until("p", lambda s: s["containerStatuses"][0].get("restartCount") == 1)
    assert made.runtime.calls["pull_image"] == pulls
    assert made.mounts.mounted == mounted


async def test_never_is_never(made: Node) -> None:
    volume = {"name": "v", "image": {"reference": DATA, "pullPolicy": "Never"}}
    await made.create("p", **{**SPEC, "volumes": [volume]})
    status = await made.until("p", lambda s: waiting(s, 0) == "ErrImageNeverPull")
    message = status["containerStatuses"][0]["state"]["waiting"]["message"]
    assert message == f'Container image "{DATA}" is not present with pull policy of Never'


def test_a_sub_path_that_an_image_does_not_have_is_not_made(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    with pytest.raises(MountFailure, match="failed to prepare subPath 'no': No such file or directory"):
        bind_sub_path(None, volume, "no", tmp_path / "target", is_made=False)  # type: ignore[arg-type]
    assert list(volume.iterdir()) == []
