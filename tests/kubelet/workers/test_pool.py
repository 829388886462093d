"""What is left of pods nobody knows is removed, whatever part of it is left and whatever resists."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import Node, node
from tests.kubelet.test_life import restart_agent
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.kit.clock import settle
from wherry.kit.path_names import BadPathName
from wherry.kubelet.logs import log_name
from wherry.kubelet.termination_message import message_file
from wherry.kubelet.volumes.pod_volumes import PodVolumes
from wherry.kubelet.volumes.tokens import Tokens
from wherry.objects.meta import Object


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        yield running


def leave(made: Node, uid: str) -> list[Path]:
    """Volumes and logs of a pod that was deleted while its agent was killed."""
    left = [made.config.pod_dir(uid) / "volumes" / "v", made.config.pod_log_dir("default", "web", uid)]
    for directory in left:
        directory.mkdir(parents=True)
        (directory / "file").touch()
    return left


async def test_logs_alone_are_remains_too(made: Node) -> None:
    """A kill between the removal of volumes and of logs."""

    async def between() -> None:
        made.config.pod_log_dir("default", "web", "gone-1").mkdir(parents=True)
        (made.config.log_dir / "not-of-a-pod").mkdir()

    await made.create("stays")
    await made.ready("stays")
    await restart_agent(made, between)
    await eventually(lambda: not made.config.pod_log_dir("default", "web", "gone-1").exists())
    uid = (await made.pod("stays"))["metadata"]["uid"]
    assert made.config.pod_log_dir("default", "stays", uid).exists()
    assert (made.config.log_dir / "not-of-a-pod").exists()


async def test_one_that_resists_holds_up_no_other(made: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    real = PodVolumes.tear_down
    resists = True

    async def tear_down(self: PodVolumes, pod_uid: str) -> None:
        if resists and pod_uid == "gone-a":
            raise OSError(errno.EROFS, "Read-only file system")
        await real(self, pod_uid)

    monkeypatch.setattr(PodVolumes, "tear_down", tear_down)
    left: dict[str, list[Path]] = {}

    async def between() -> None:
        for uid in ("gone-a", "gone-b"):
            left[uid] = leave(made, uid)

    await restart_agent(made, between)
    await eventually(lambda: not any(path.exists() for path in left["gone-b"]))
    # Its volumes resist, its logs go; and the runtime's events are followed all the while.
    await eventually(lambda: [path.exists() for path in left["gone-a"]] == [True, False])
    looks = made.runtime.calls["sandboxes"]
    await made.clock.advance(30)
    assert made.runtime.calls["sandboxes"] == looks, "nobody polls the runtime for it"
    await made.create("web")
    await made.ready("web")
    made.runtime.finish(made.runtime.find("web").id, 1)
    await made.until("web", lambda s: s["containerStatuses"][0]["restartCount"] == 1)
    resists = False

    async def gone() -> bool:
        await made.clock.advance(10)
        return not left["gone-a"][0].exists()

    await eventually(gone)


async def test_a_change_during_set_up_is_not_lost(made: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ConfigMap changes after it was read and before the pod's other volumes are there."""
    config_map: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "default"},
        "data": {"k": "old"},
    }
    await made.admin.create(CONFIG_MAPS, config_map)
    real = Tokens._request
    changed = False

    async def request(self: Tokens, *arguments: Any) -> Any:
        nonlocal changed
        if not changed:
            changed = True
            await made.admin.patch(CONFIG_MAPS, "c", "default", {"data": {"k": "new"}})
            await settle()
        return await real(self, *arguments)

    monkeypatch.setattr(Tokens, "_request", request)
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
    volumes = [{"name": "c", "configMap": {"name": "c"}}, {"name": "t", "projected": {"sources": [token]}}]
    mounts = [{"name": "c", "mountPath": "/c"}, {"name": "t", "mountPath": "/t"}]
    await made.create("web", {"volumeMounts": mounts}, volumes=volumes)
    await made.ready("web")
    (file,) = (made.config.root_dir / "pods").glob("*/volumes/kubernetes.io~configmap/c/k")
    await eventually(lambda: file.read_text() == "new")


async def test_a_pod_with_the_uid_of_another_waits_for_its_end(
    made: Node, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker of the one is never told of the other, neither of its changes nor of its end."""
    await made.create("first")
    await made.ready("first")
    workers = made.kubelet._workers
    assert workers is not None
    first = await made.pod("first")
    second = {**first, "metadata": {**first["metadata"], "name": "second"}, "status": {}}
    uid = first["metadata"]["uid"]
    workers.changed(None, second)
    workers.changed(second, None)
    workers.changed(None, second)
    assert workers.holder(uid) == "default/first"
    assert "pod default/second waits until pod default/first with the same uid is gone" in caplog.text
    assert (await made.pod("first"))["status"]["phase"] == "Running"
    workers.changed(first, None)
    await eventually(lambda: workers.holder(uid) == "default/second")


async def test_remains_are_removed_by_a_name_and_by_no_path(made: Node, tmp_path: Path) -> None:
    """A uid is what a manifest or a sandbox says: nothing outside the node's directories goes by it."""
    precious = tmp_path / "precious"
    precious.mkdir()
    context = made.kubelet._context
    assert context is not None
    up = f"../../{precious.name}"
    for uid in (up, str(precious), "..", ".", "", "a\0b", "a" * 256):
        with pytest.raises(BadPathName):
            await context.volumes.tear_down(uid)
        with pytest.raises(BadPathName):
            made.config.pod_dir(uid)
    for uid in (up, f"/../{up}"):
        with pytest.raises(BadPathName):
            made.config.pod_log_dir("default", "web", uid)
        with pytest.raises(BadPathName):
            context.cgroups.remove(uid)
        with pytest.raises(BadPathName):
            message_file(tmp_path, uid, 0)
        with pytest.raises(BadPathName):
            log_name(uid, 0)
    assert precious.is_dir()
