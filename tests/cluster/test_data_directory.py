"""What is deleted with a cluster was made with it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.cluster.clusters import Machine
from wherry.cluster.config import Setup
from wherry.cluster.lifecycle import Lifecycle, StartFailed, open_lifecycle

CONFIG = Setup.of("mine", node_name="n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(data_root=tmp_path / "data", run_root=tmp_path / "run")


def cluster(machine: Machine, data_dir: Path | None = None, setup: Setup = CONFIG) -> Lifecycle:
    return open_lifecycle(machine, setup, data_dir)


def test_a_directory_with_other_things_in_it_is_never_a_clusters(machine: Machine, tmp_path: Path) -> None:
    theirs = tmp_path / "projects"
    theirs.mkdir()
    (theirs / "thesis").write_text("years of work")
    with pytest.raises(StartFailed, match=r"projects is not empty, and what is in it is no cluster"):
        cluster(machine, theirs).prepare()
    assert [entry.name for entry in theirs.iterdir()] == ["thesis"]


def test_a_file_is_no_directory(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartFailed, match="file is not a directory"):
        cluster(machine, tmp_path / "file").prepare()


@pytest.mark.parametrize("makes", [False, True])
def test_an_empty_or_new_one_is_taken_and_goes_whole(machine: Machine, tmp_path: Path, makes: bool) -> None:
    data = tmp_path / "elsewhere"
    if makes:
        data.mkdir()
    lifecycle = cluster(machine, data)
    lifecycle.prepare()
    lifecycle.check_data_directory()
    assert (data / "cluster.yaml").exists()
    lifecycle._remove_data()
    assert not data.exists()


def test_what_somebody_put_beside_it_stays(machine: Machine, tmp_path: Path) -> None:
    data = tmp_path / "elsewhere"
    lifecycle = cluster(machine, data)
    lifecycle.prepare()
    for name in ("store", "kubelet", "containerd"):
        (data / name / "deep").mkdir(parents=True)
    (data / "notes").write_text("mine")
    lifecycle._remove_data()
    assert [entry.name for entry in data.iterdir()] == ["notes"]


def test_one_directory_is_one_clusters(machine: Machine, tmp_path: Path) -> None:
    data = tmp_path / "elsewhere"
    cluster(machine, data).prepare()
    other = Setup.of("other", node_name="n")
    with pytest.raises(
        StartFailed, match="elsewhere belongs to cluster 'mine'; choose another --data-dir, or --name mine"
    ):
        cluster(machine, data, other).prepare()


def test_one_cluster_has_one_directory(machine: Machine, tmp_path: Path) -> None:
    cluster(machine).prepare()
    with pytest.raises(StartFailed, match=r"cluster 'mine' lies in .*, not in .*/elsewhere"):
        cluster(machine, tmp_path / "elsewhere").prepare()
    assert not (tmp_path / "elsewhere").exists()


def test_one_that_lies_elsewhere_is_found_again(machine: Machine, tmp_path: Path) -> None:
    cluster(machine, tmp_path / "elsewhere").prepare()
    cluster(machine).prepare()
    cluster(machine, tmp_path / "elsewhere").prepare()
    assert machine.names() == ["mine"]
