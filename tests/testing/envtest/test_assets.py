"""Where envtest's programs are written: a place of one's own, and never over what somebody else put there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wherry.cli.commands import app
from wherry.testing.envtest.assets import PROGRAMS, AssetsError, write_assets

NOBODY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a place somebody else's")


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    place = write_assets(tmp_path / "a" / "b")
    before = {file.name: file.lstat().st_ino for file in place.iterdir()}
    assert set(PROGRAMS) <= set(before)
    assert write_assets(place) == place
    assert {file.name: file.lstat().st_ino for file in place.iterdir()} == before
    (place / "etcd").write_text((place / "etcd").read_text() + "# of an earlier version\n")
    write_assets(place)
    assert "earlier" not in (place / "etcd").read_text()
    (place / "etcd").chmod(0o644)
    place.chmod(0o770)  # of a group that is the user's own
    write_assets(place)
    assert os.access(place / "etcd", os.X_OK)


def test_a_link_to_a_place_of_ones_own_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert write_assets(tmp_path / "link") == tmp_path / "real"


def test_installations_do_not_write_over_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    places: dict[str, Path] = {}
    for python in ("/one/bin/python", "/two/bin/python", "/one/bin/python"):
        monkeypatch.setattr("sys.executable", python)
        assert places.setdefault(python, write_assets()) == write_assets()
    assert {place.parent for place in places.values()} == {tmp_path / "wherry" / "envtest"}
    for python, place in places.items():
        assert f"exec {python} " in (place / "etcd").read_text()


def open_to_all(place: Path) -> str:
    place.mkdir()
    place.chmod(0o1777)
    return "can be written to by everybody"


def open_to_a_group(place: Path) -> str:
    place.mkdir()
    os.chown(place, 0, 50)
    place.chmod(0o2775)
    return "can be written to by group 50"


def somebody_elses(place: Path) -> str:
    place.mkdir()
    os.chown(place, NOBODY, NOBODY)
    return rf"belongs to another user \({NOBODY}\)"


def below_somebody_elses(place: Path) -> str:
    place.mkdir()
    os.chown(place.parent, NOBODY, NOBODY)
    return "belongs to another user"


def a_planted_link(place: Path) -> str:
    (place.parent / "real").mkdir()
    place.symlink_to(place.parent / "real")
    os.lchown(place, NOBODY, NOBODY)
    return "belongs to another user"


def another_program(place: Path) -> str:
    place.mkdir()
    (place / "kube-apiserver").write_text("#!/bin/sh\necho real\n")
    return "kube-apiserver was not written by wherry envtest-assets"


def a_link_in_it(place: Path) -> str:
    place.mkdir()
    (place.parent / "precious").write_text("mine")
    (place / "etcd").symlink_to(place.parent / "precious")
    return "etcd is no file of yours"


def a_directory_in_it(place: Path) -> str:
    (place / "etcd").mkdir(parents=True)
    return "etcd is no file of yours"


def a_link_of_anothers_in_it(place: Path) -> str:
    place.mkdir()
    (place / "kubectl").symlink_to("/nowhere")
    os.lchown(place / "kubectl", NOBODY, NOBODY)
    return "kubectl is a link of another user"


CASES = [
    *(open_to_all, open_to_a_group, somebody_elses, below_somebody_elses, a_planted_link, another_program),
    *(a_link_in_it, a_directory_in_it, a_link_of_anothers_in_it),
]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_a_place_that_is_not_ours_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/kubectl")
    place = tmp_path / "of" / "place"
    place.parent.mkdir()
    assert callable(make)
    says = make(place)
    before = {file: file.read_bytes() for file in place.parent.rglob("*") if file.is_file()}
    with pytest.raises(AssetsError, match=f"{says}.*; choose a directory of your own with --directory"):
        write_assets(place)
    after = {file: file.read_bytes() for file in place.parent.rglob("*") if file.is_file()}
    assert {name: after[name] for name in before} == before
    said = CliRunner().invoke(app, ["envtest-assets", "--directory", str(place)])
    assert said.exit_code != 0
