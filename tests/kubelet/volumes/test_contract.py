"""One suite over every volume plugin: idempotent, named as upstream, cleaned up without a trace."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.kubelet.builders import make_pod
from tests.kubelet.rig import FakeMounts
from tests.kubelet.volumes.sources import paper_host
from wherry.kubelet.volumes.base import MountFailure, VolumePlugin
from wherry.kubelet.volumes.catalog import PLUGINS, find_plugin
from wherry.kubelet.volumes.plugins.empty_dir import memory_size
from wherry.kubelet.volumes.pod_volumes import PodVolumes
from wherry.objects.meta import Object

OBJECTS: dict[tuple[str, str], Object] = {
    ("ConfigMap", "c"): {"data": {"k": "v"}, "binaryData": {"b": base64.b64encode(b"\xff").decode()}},
    ("Secret", "s"): {"data": {"pw": base64.b64encode(b"hush").decode()}},
}
FIELD = {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}


def examples(tmp_path: Path) -> dict[str, Object]:
    """A volume source for each plugin, and what it must show."""
    (tmp_path / "host").mkdir(exist_ok=True)
    return {
        "emptyDir": {},
        "hostPath": {"path": str(tmp_path / "host"), "type": "Directory"},
        "configMap": {"name": "c"},
        "secret": {"secretName": "s"},
        "downwardAPI": {"items": [FIELD]},
        "image": {"reference": "nginx:1.27"},
        "projected": {
            "sources": [
                {"configMap": {"name": "c", "items": [{"key": "k", "path": "deep/er"}]}},
                {"secret": {"name": "s"}},
                {"downwardAPI": {"items": [FIELD]}},
                {"serviceAccountToken": {"path": "token"}},
                {"clusterTrustBundle": {"name": "b", "path": "anchors"}},
                {"podCertificate": {"credentialBundlePath": "both", "keyPath": "key"}},
            ]
        },
    }


class Recorder:
    """Keeps events."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []

    def event(self, obj: Object, event_type: str, reason: str, message: str, **_: object) -> None:
        self.messages.append((reason, message))


class Killed(BaseException):
    """The agent is no more: nothing of it catches this."""


class Fixture:
    """A `PodVolumes` below a temporary directory."""

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "kubelet"
        self.mounts = FakeMounts()
        self.recorder = Recorder()
        self.objects = dict(OBJECTS)
        self.volumes = PodVolumes(self.root, paper_host(self.mounts), self.recorder)

    async def set_up(self, source: Object, resources: Object | None = None, **spec: Any) -> Path:
        mount = {"name": "v", "mountPath": "/v"}
        web = {"name": "web", "volumeMounts": [mount], "resources": resources or {}}
        pod = make_pod(web, volumes=[{"name": "v", **source}], **spec)
        found = await self.volumes.set_up(pod, lambda k, n: self.objects.get((k, n)), {})
        return found["v"].path


@pytest.fixture
def made(tmp_path: Path) -> Fixture:
    return Fixture(tmp_path)


def shown(directory: Path) -> dict[str, str]:
    """The files a container would see, without the writer's own."""
    return {
        str(f.relative_to(directory)): f.read_bytes().decode("latin-1")
        for name in directory.iterdir()
        if not name.name.startswith("..")
        for f in ([name] if name.is_file() else name.rglob("*"))
        if f.is_file()
    }


HERE = [plugin for plugin in PLUGINS if plugin.source != "gitRepo"]
"""Those that need no server; what one is needed for is in `test_git_repo`."""
HERE_IDS = [plugin.source for plugin in HERE]


@pytest.mark.parametrize("plugin", HERE, ids=HERE_IDS)
async def test_set_up_twice_is_the_same(plugin: VolumePlugin, made: Fixture, tmp_path: Path) -> None:
    source = {plugin.source: examples(tmp_path)[plugin.source]}
    first = await made.set_up(source)
    before = shown(first), sorted(p.name for p in first.iterdir())
    assert await made.set_up(source) == first
    assert (shown(first), sorted(p.name for p in first.iterdir())) == before


@pytest.mark.parametrize("plugin", HERE, ids=HERE_IDS)
async def test_tear_down_leaves_nothing(plugin: VolumePlugin, made: Fixture, tmp_path: Path) -> None:
    await made.set_up({plugin.source: examples(tmp_path)[plugin.source]})
    (tmp_path / "host" / "precious").touch()
    await made.volumes.tear_down("u1")
    await made.volumes.tear_down("u1")
    assert made.mounts.mounted == []
    assert made.volumes.uids() == set()
    assert (tmp_path / "host" / "precious").exists()


@pytest.mark.parametrize("plugin", PLUGINS, ids=[plugin.source for plugin in PLUGINS])
def test_plugins_are_found_and_named(plugin: VolumePlugin) -> None:
    assert find_plugin({"name": "v", plugin.source: {}}) is plugin
    assert plugin.directory_name.startswith("kubernetes.io~")


async def test_contents(made: Fixture, tmp_path: Path) -> None:
    found = examples(tmp_path)
    assert shown(await made.set_up({"configMap": found["configMap"]})) == {"k": "v", "b": "\xff"}
    await made.volumes.tear_down("u1")
    assert shown(await made.set_up({"secret": found["secret"]})) == {"pw": "hush"}
    await made.volumes.tear_down("u1")
    assert shown(await made.set_up({"projected": found["projected"]})) == {
        "deep/er": "v",
        "pw": "hush",
        "name": "p",
        "token": "token for the API server, 3600 s",
        "anchors": "anchors of b",
        "both": "key 5 of v\nchain\n",
        "key": "key 5 of v\n",
    }


async def test_secrets_stay_off_the_disk(made: Fixture) -> None:
    path = await made.set_up({"secret": {"secretName": "s", "defaultMode": 0o400}})
    assert made.mounts.mounted == [path]
    assert (path / "pw").stat().st_mode & 0o777 == 0o400


async def test_memory_medium_is_limited(made: Fixture) -> None:
    path = await made.set_up({"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}})
    assert made.mounts.sizes == {path: 1024 * 1024}
    assert path.stat().st_mode & 0o777 == 0o777


@pytest.mark.parametrize(
    ("limit", "memory", "size"),
    [("1Gi", {}, 512 << 20), ("1Gi", {"memory": "2Mi"}, 2 << 20), ("1Mi", {"memory": "2Mi"}, 1 << 20)],
)
def test_memory_holds_no_more_than_the_pod_may_use(limit: str, memory: Object, size: int) -> None:
    pod = make_pod({"name": "web", "resources": {"limits": memory}})
    assert memory_size({"sizeLimit": limit}, pod, {"memory": "512Mi"}) == size
    assert memory_size({}, pod, {"memory": "512Mi"}) == (2 << 20 if memory else 512 << 20)


HUGE = {"requests": {"hugepages-2Mi": "4Mi"}, "limits": {"hugepages-2Mi": "4Mi"}}
OTHERS = {"requests": {"hugepages-2Mi": "4Mi", "hugepages-1Gi": "1Gi"}}


@pytest.mark.parametrize("medium", ["HugePages", "HugePages-2Mi"])
async def test_huge_pages_of_the_size_the_pod_asks_for(made: Fixture, medium: str) -> None:
    path = await made.set_up({"emptyDir": {"medium": medium, "sizeLimit": "2Mi"}}, resources=HUGE)
    assert made.mounts.pages == {path: 2 * 1024 * 1024}
    assert made.mounts.sizes == {path: 2 * 1024 * 1024}
    assert path.stat().st_mode & 0o777 == 0o777


@pytest.mark.parametrize(
    ("medium", "resources", "message"),
    [
        ("HugePages", {}, "hugePages storage requested, but there is no resource request for huge pages"),
        ("HugePages-1Gi", HUGE, "hugePages storage requested, but there is no resource request for"),
        ("HugePages", OTHERS, "can't be used if container requests multiple huge page sizes"),
    ],
)
async def test_huge_pages_have_to_be_asked_for(
    made: Fixture, medium: str, resources: Object, message: str
) -> None:
    with pytest.raises(MountFailure, match=message):
        await made.set_up({"emptyDir": {"medium": medium}}, resources=resources)


async def test_what_is_private_is_for_one_user_or_group(made: Fixture) -> None:
    source = {"sources": [{"clusterTrustBundle": {"name": "b", "path": "a"}}], "defaultMode": 0o644}
    for security, owner in (({"runAsUser": 1234}, (1234, 0)), ({"fsGroup": 4321}, (0, 4321))):
        path = await made.set_up({"projected": source}, securityContext=security)
        state = (path / "a").stat()
        assert (state.st_uid, state.st_gid) == owner
        assert state.st_mode & 0o777 == (0o600 if owner[0] else 0o640)
        await made.volumes.tear_down("u1")


async def test_memory_is_writable_again_after_a_reboot(made: Fixture) -> None:
    """Mounts go with a reboot, the pod's directory does not."""
    path = await made.set_up({"emptyDir": {"medium": "Memory"}})
    made.mounts.mounted.clear()
    assert await made.set_up({"emptyDir": {"medium": "Memory"}}) == path
    assert path.stat().st_mode & 0o777 == 0o777


@pytest.mark.parametrize("medium", ["", "Memory"])
async def test_a_kill_before_the_mode_is_set(
    made: Fixture, medium: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "chmod", killed)
        with pytest.raises(Killed):
            await made.set_up({"emptyDir": {"medium": medium}})
    path = await made.set_up({"emptyDir": {"medium": medium}})
    assert path.stat().st_mode & 0o777 == 0o777


async def test_a_mode_the_pod_chose_stays(made: Fixture) -> None:
    path = await made.set_up({"emptyDir": {}})
    path.chmod(0o700)
    await made.set_up({"emptyDir": {}})
    assert path.stat().st_mode & 0o777 == 0o700


async def test_changes_are_followed(made: Fixture) -> None:
    path = await made.set_up({"configMap": {"name": "c"}})
    version = (path / "..data").readlink()
    made.objects[("ConfigMap", "c")] = {"data": {"new": "x"}}
    await made.set_up({"configMap": {"name": "c"}})
    assert shown(path) == {"new": "x"}
    assert (path / "..data").readlink() != version
    assert not (path / version).exists()


FAILURES: list[tuple[Object, str]] = [
    ({"configMap": {"name": "no"}}, 'configmap "no" not found'),
    ({"secret": {"secretName": "no"}}, 'secret "no" not found'),
    (
        {"configMap": {"name": "c", "items": [{"key": "x", "path": "x"}]}},
        "references non-existent config key: x",
    ),
    (
        {"secret": {"secretName": "s", "items": [{"key": "x", "path": "x"}]}},
        "references non-existent secret key: x",
    ),
    (
        {"hostPath": {"path": "/no/such", "type": "Directory"}},
        "hostPath type check failed: /no/such is not a directory",
    ),
    ({"hostPath": {"path": "/", "type": "File"}}, "hostPath type check failed: / is not a file"),
    ({"hostPath": {"path": "/", "type": "Socket"}}, "hostPath type check failed: / is not a socket file"),
    (
        {"hostPath": {"path": "/", "type": "CharDevice"}},
        "hostPath type check failed: / is not a character device",
    ),
    (
        {"hostPath": {"path": "/", "type": "BlockDevice"}},
        "hostPath type check failed: / is not a block device",
    ),
    ({"nfs": {"server": "x"}}, "no volume plugin matched name: nfs"),
]


@pytest.mark.parametrize(("source", "message"), FAILURES)
async def test_failures_are_told(made: Fixture, source: Object, message: str) -> None:
    with pytest.raises(MountFailure):
        await made.set_up(source)
    told = f'MountVolume.SetUp failed for volume "v" : {message}'
    assert made.recorder.messages == [("FailedMount", told)]


@pytest.mark.parametrize(
    "source",
    [
        {"configMap": {"name": "no", "optional": True}},
        {"secret": {"secretName": "no", "optional": True}},
        {"configMap": {"name": "c", "optional": True, "items": [{"key": "x", "path": "x"}]}},
    ],
)
async def test_optional_may_be_missing(made: Fixture, source: Object) -> None:
    assert shown(await made.set_up(source)) == {}


@pytest.mark.parametrize("kind", ["DirectoryOrCreate", "FileOrCreate", ""])
async def test_host_path_is_made(made: Fixture, tmp_path: Path, kind: str) -> None:
    path = await made.set_up({"hostPath": {"path": str(tmp_path / "new"), "type": kind}})
    assert path.is_file() if kind == "FileOrCreate" else path.is_dir()


async def test_what_stays_mounted_is_not_deleted(made: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hostPath bound into a pod's directory is the node's own: emptying it would be a disaster."""
    bound = made.root / "pods" / "u1" / "volume-subpaths" / "v"
    bound.mkdir(parents=True)
    (bound / "precious").touch()
    made.mounts.mounted.append(bound)
    monkeypatch.setattr(made.mounts, "unmount", lambda _: None)
    with pytest.raises(OSError, match="is still mounted"):
        await made.volumes.tear_down("u1")
    assert (bound / "precious").exists()
