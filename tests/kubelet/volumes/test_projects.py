"""Numbers for volumes the file system counts: never given twice, written down, taken back."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kubelet.builders import make_pod
from tests.kubelet.rig import FakeMounts
from tests.kubelet.volumes.sources import paper_host
from tests.kubelet.volumes.test_contract import Recorder
from wherry.kit.disk_usage import Usage
from wherry.kit.project_quotas import Project
from wherry.kit.trees import remove_tree
from wherry.kubelet.volumes import projects as module
from wherry.kubelet.volumes.pod_volumes import PodVolumes
from wherry.kubelet.volumes.projects import FIRST, Projects, counted_usage
from wherry.objects.meta import Object

REAL = [Path(name) for name in os.environ.get("WHERRY_PROJECT_QUOTAS", "").split(":") if name]


class PaperQuotas:
    """A file system with project quotas: the project of each directory, and what each project takes."""

    def __init__(self) -> None:
        self.projects: dict[int, Project] = {}
        self.usages: dict[int, Usage] = {}
        self.counts = True

    def project_of(self, directory: int) -> Project | None:
        return self.projects.get(os.fstat(directory).st_ino, Project(0, inherited=False))

    def set_project(self, directory: int, number: int) -> None:
        self.projects[os.fstat(directory).st_ino] = Project(number, inherited=True)
        self.usages[number] = Usage(4096, 1)

    def project_usage(self, directory: int, number: int) -> Usage | None:
        return self.usages.get(number, Usage()) if self.counts else None


@pytest.fixture
def quotas(monkeypatch: pytest.MonkeyPatch) -> PaperQuotas:
    paper = PaperQuotas()
    for name in ("project_of", "set_project", "project_usage"):
        monkeypatch.setattr(module, name, getattr(paper, name))
    return paper


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc"


def volume(tmp_path: Path, name: str) -> Path:
    directory = tmp_path / "volumes" / name
    directory.mkdir(parents=True)
    return directory


def test_each_volume_has_a_number_of_its_own_and_it_is_written_down(
    tmp_path: Path, etc: Path, quotas: PaperQuotas
) -> None:
    (etc / "projects").write_text("# ours\n42:/srv/data\n")
    (etc / "projid").write_text(f"data:42\nmore:{FIRST + 2}\n")
    (one, two) = (volume(tmp_path, name) for name in "ab")
    quotas.usages[FIRST + 3] = Usage(4096, 1)  # files of a volume that is gone are still open
    projects = Projects(etc)
    assert projects.assign(one)
    assert projects.assign(two)
    assert projects.assign(one), "again, which changes nothing"
    lines = (etc / "projects").read_text().splitlines()
    assert lines[:2] == ["# ours", "42:/srv/data"]
    numbers = {line.partition(":")[2]: int(line.partition(":")[0]) for line in lines[2:]}
    assert set(numbers) == {str(one), str(two)}
    assert len(set(numbers.values())) == 2
    assert not {FIRST + 2, FIRST + 3} & set(numbers.values()), "others have them"
    names = (etc / "projid").read_text().splitlines()
    assert names[:2] == ["data:42", f"more:{FIRST + 2}"]
    assert set(names[2:]) == {f"volume{number}:{number}" for number in numbers.values()}
    assert counted_usage(one) == Usage(4096, 1)


def test_numbers_of_volumes_that_are_gone_are_given_again(
    tmp_path: Path, etc: Path, quotas: PaperQuotas
) -> None:
    projects = Projects(etc)
    one = volume(tmp_path, "a")
    projects.assign(one)
    remove_tree(one)
    quotas.usages.clear()
    quotas.projects.clear()
    two = volume(tmp_path, "b")
    projects.assign(two)
    assert (etc / "projects").read_text() == f"{FIRST}:{two}\n"
    assert (etc / "projid").read_text() == f"volume{FIRST}:{FIRST}\n"


def test_an_agent_killed_between_writing_and_setting_goes_on_with_its_number(
    tmp_path: Path, etc: Path, quotas: PaperQuotas, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = volume(tmp_path, "a")
    with monkeypatch.context() as patched:
        patched.setattr(module, "set_project", lambda *_: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            Projects(etc).assign(one)
    assert counted_usage(one) is None
    assert Projects(etc).assign(one)
    assert (etc / "projects").read_text() == f"{FIRST}:{one}\n"


def test_what_is_not_a_volumes_own_is_not_believed(tmp_path: Path, etc: Path, quotas: PaperQuotas) -> None:
    one = volume(tmp_path, "a")
    for place in (one, one.parent):  # a folder all of whose contents somebody put in one project
        quotas.projects[place.stat().st_ino] = Project(FIRST, inherited=True)
    quotas.usages[FIRST] = Usage(8192, 2)
    assert counted_usage(one) is None
    assert Projects(etc).assign(one)
    assert counted_usage(one) == Usage(4096, 1)


def test_without_quotas_nothing_is_written(tmp_path: Path, etc: Path, quotas: PaperQuotas) -> None:
    quotas.counts = False
    assert not Projects(etc).assign(volume(tmp_path, "a"))
    assert list(etc.iterdir()) == []


@pytest.mark.parametrize("place", REAL)
def test_on_a_real_file_system(place: Path, etc: Path) -> None:
    projects = Projects(etc)
    volumes = [place / name for name in ("one", "two")]
    for directory in volumes:
        directory.mkdir()
        assert projects.assign(directory)
    (volumes[0] / "file").write_bytes(b"x" * 1_000_000)
    os.sync()
    one, two = (counted_usage(directory) for directory in volumes)
    assert one is not None
    assert two is not None
    assert one.bytes >= 1_000_000
    assert (one.inodes, two.inodes) == (2, 1)
    held = (volumes[0] / "file").open("rb")
    remove_tree(volumes[0])
    third = place / "three"
    third.mkdir()
    assert projects.assign(third)
    found = counted_usage(third)
    assert found is not None
    assert found.inodes == 1, "the number of the volume whose file is still open is not given again"
    held.close()


@pytest.mark.parametrize(
    ("spec", "source", "is_counted"),
    [
        ({"hostUsers": False}, {}, True),
        ({}, {}, False),
        ({"hostUsers": True}, {}, False),
        ({"hostUsers": False}, {"medium": "Memory"}, False),
    ],
)
async def test_emptydirs_of_pods_with_their_own_users_are_counted(
    tmp_path: Path, etc: Path, quotas: PaperQuotas, spec: Object, source: Object, is_counted: bool
) -> None:
    host = replace(paper_host(FakeMounts()), projects=Projects(etc))
    mount = {"name": "v", "mountPath": "/v"}
    pod = make_pod(
        {"name": "web", "volumeMounts": [mount]}, volumes=[{"name": "v", "emptyDir": source}], **spec
    )
    volumes = PodVolumes(tmp_path / "kubelet", host, Recorder())
    path = (await volumes.set_up(pod, lambda *_: None, {}))["v"].path
    assert (path.stat().st_ino in quotas.projects) is is_counted


async def test_a_volume_that_cannot_be_counted_is_there_all_the_same(
    tmp_path: Path, quotas: PaperQuotas
) -> None:
    host = replace(paper_host(FakeMounts()), projects=Projects(tmp_path / "no such folder"))
    mount = {"name": "v", "mountPath": "/v"}
    pod = make_pod(
        {"name": "web", "volumeMounts": [mount]}, volumes=[{"name": "v", "emptyDir": {}}], hostUsers=False
    )
    found = await PodVolumes(tmp_path / "kubelet", host, Recorder()).set_up(pod, lambda *_: None, {})
    assert found["v"].path.is_dir()
