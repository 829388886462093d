"""Several static pods with one name, and several agents on one machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import IMAGE, FakeMounts, FakeProber, make_kubelet, node
from tests.kubelet.static_pods.manifests import manifest, put
from wherry.api.core.pods import PODS
from wherry.apiserver.user import User
from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.static_pods.manifest import FILE, HTTP, Origin, read_pods
from wherry.kubelet.static_pods.static_pods import StaticPods
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of, uid_of


class Workers:
    """Takes down what is to be run; a pod is gone when the test says so."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self.others: dict[str, str] = {}
        """What has a worker already, by uid: its namespace and name."""

    def changed(self, old: Object | None, new: Object | None) -> None:
        if old is None and new is not None:
            self.began.append(uid_of(new))
        elif new is None and old is not None:
            self.ended.append(uid_of(old))

    def holder(self, pod_uid: str) -> str | None:
        return self.others.get(pod_uid)

    def on_gone(self, tell: object) -> None:
        self.gone = tell


class Mirrors:
    """Whose mirror is there, by namespace and name."""

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}

    def want(self, pod: Object) -> None:
        self.shown[f"{pod['metadata']['namespace']}/{name_of(pod)}"] = uid_of(pod)

    def drop(self, key: str) -> None:
        del self.shown[key]

    def complete(self) -> None:
        """All sources were read."""


def pods(kind: str, **spec: object) -> list[Object]:
    return read_pods(json.dumps(manifest(**spec)).encode(), Origin(kind, "/place", "n"))  # type: ignore[arg-type]


@pytest.fixture
async def made(tmp_path: Path) -> tuple[StaticPods, Workers, Mirrors]:
    clock, workers, mirrors = FakeClock(), Workers(), Mirrors()
    config = KubeletConfig(
        node_name="n",
        node_ip="192.0.2.1",
        root_dir=tmp_path,
        log_dir=tmp_path,
        static_pod_path=tmp_path / "manifests",
        static_pod_url="http://127.0.0.1:9/never-asked",
    )
    found = StaticPods(
        config,
        FakeRuntime(clock),
        workers,  # type: ignore[arg-type]
        mirrors,  # type: ignore[arg-type]
        DirectDisk(),
        clock,
        lambda: None,
    )
    workers.on_gone(found._gone)
    return found, workers, mirrors


def test_of_two_sources_with_one_name_the_first_runs(made: tuple[StaticPods, Workers, Mirrors]) -> None:
    """The other begins when nothing of the first is left, and not before."""
    static, workers, mirrors = made
    by_file, by_url = pods(FILE), pods(HTTP)
    static._source_said(FILE, by_file)
    static._source_said(HTTP, by_url)
    assert workers.began == [uid_of(by_file[0])]
    static._source_said(FILE, [])
    assert workers.ended == [uid_of(by_file[0])]
    assert len(workers.began) == 1
    static._gone(uid_of(by_file[0]))
    assert workers.began[1:] == [uid_of(by_url[0])]
    assert mirrors.shown == {"default/web-n": uid_of(by_url[0])}
    static._source_said(HTTP, [])
    static._gone(uid_of(by_url[0]))
    assert mirrors.shown == {}


def test_a_manifest_that_comes_back_while_its_pod_ends(made: tuple[StaticPods, Workers, Mirrors]) -> None:
    static, workers, _ = made
    found = pods(FILE)
    for said in (found, [], found):
        static._source_said(FILE, said)
    assert (len(workers.began), len(workers.ended)) == (1, 1)
    static._gone(uid_of(found[0]))
    assert workers.began == [uid_of(found[0])] * 2


async def test_two_agents_of_one_machine_share_a_folder(tmp_path: Path) -> None:
    """Each runs the pod under its own name and uid, and answers for its own mirror alone."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    put(folder)
    async with node(tmp_path, static_pod_path=folder) as first:
        runtime = FakeRuntime(first.clock, [IMAGE])
        config = KubeletConfig(
            node_name="node-2",
            node_ip="192.0.2.2",
            root_dir=tmp_path / "second",
            log_dir=tmp_path / "second-logs",
            cgroup_mount=tmp_path / "cgroup",
            cgroup_root="/kubepods-second",
            port=10260,
            static_pod_path=folder,
        )
        user = User("system:node:node-2", ("system:nodes", "system:authenticated"))
        around = (FakeMounts(), FakeProber())
        second = make_kubelet(first.rig, config, runtime, first.clock, *around, agent=user)
        try:
            await second.start()
            names = ("web-node-1", "web-node-2")
            for name in names:
                await first.ready_mirror(name)
            found = [await first.pod(name) for name in names]
            assert len({pod["metadata"]["annotations"]["kubernetes.io/config.hash"] for pod in found}) == 2
            owners = [pod["metadata"]["ownerReferences"][0]["name"] for pod in found]
            assert owners == ["node-1", "node-2"]
            assert [name_of(pod) for pod in second.pods()] == ["web-node-2"]
            with pytest.raises(ApiError, match="can only delete pods with"):
                await first.rig.client(user).delete(PODS, "web-node-1", "default", grace_period_s=0)
            (folder / "web.yaml").unlink()
            for name in names:
                await eventually(lambda name=name: first.gone(name))  # type: ignore[misc]
        finally:
            await second.close()


SHARED = "5d1c1c7e-0000-4000-8000-000000000001"


def exported(*names: str) -> list[Object]:
    """Pods whose manifests were exported from one pod, with its uid."""
    return [pod for name in names for pod in pods(FILE, name=name, metadata={"uid": SHARED})]


def test_of_two_manifests_with_one_uid_one_runs(
    made: tuple[StaticPods, Workers, Mirrors], caplog: pytest.LogCaptureFixture
) -> None:
    """The other has neither the first one's worker nor a mirror, until the first is gone."""
    static, workers, mirrors = made
    one, two = exported("one", "two")
    static._source_said(FILE, [one])
    workers.others[SHARED] = "default/one-n"
    for _ in range(2):
        static._source_said(FILE, [one, two])
    assert (workers.began, list(mirrors.shown)) == ([SHARED], ["default/one-n"])
    told = "pod default/two-n waits until pod default/one-n with the same uid is gone"
    assert [told in message for message in caplog.messages] == [True], "once"
    static._source_said(FILE, [two])
    assert (workers.ended, len(workers.began)) == ([SHARED], 1)
    del workers.others[SHARED]
    static._gone(SHARED)
    assert (len(workers.began), list(mirrors.shown)) == (2, ["default/two-n"])


async def test_a_manifest_with_the_uid_of_a_pod_of_the_api_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits, and begins when the other is gone."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    async with node(tmp_path, static_pod_path=folder) as running:
        await running.create("api")
        await running.ready("api")
        put(folder, "copy", metadata={"uid": uid_of(await running.pod("api"))})
        await eventually(lambda: any("pod default/copy-node-1 waits" in text for text in caplog.messages))
        assert await running.gone("copy-node-1")
        await running.admin.delete(PODS, "api", "default", grace_period_s=0)
        await running.ready_mirror("copy-node-1")
