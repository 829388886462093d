"""`wherry image`: wrong usage is told before anything is done, and nothing is overwritten unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import make, run_main, wherry
from wherry.cli.image import in_use, names_of
from wherry.cluster.clusters import Machine
from wherry.cluster.lifecycle import Lifecycle


@pytest.fixture
def source(tmp_path: Path) -> str:
    file = tmp_path / "app.sh"
    file.write_text("#!/bin/sh\n")
    return f"{file}:/app.sh"


def test_nothing_to_pack_is_wrong_usage(tmp_path: Path) -> None:
    done = wherry("image", "pack", "--name", "app:1", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "wherry: there is nothing to pack; give Debian packages, or --file SOURCE:/TARGET\n"
    assert not list(tmp_path.iterdir())


def test_the_archive_is_called_after_the_image_and_kept(tmp_path: Path, source: str) -> None:
    directory = tmp_path / "here"
    directory.mkdir()
    pack = ("image", "pack", "--name", "example.com/team/app:1", "--file", source)
    assert wherry(*pack, cwd=directory).stdout == "app.tar\n"
    made = (directory / "app.tar").read_bytes()
    (directory / "app.tar").write_text("mine")
    again = wherry(*pack, cwd=directory)
    assert again.returncode == 1
    assert again.stderr == (
        "wherry: app.tar is there already; give another --output, or --force to replace it\n"
    )
    assert (directory / "app.tar").read_text() == "mine"
    assert wherry(*pack, "--force", cwd=directory).returncode == 0
    assert (directory / "app.tar").read_bytes() == made


def test_an_error_names_the_path_that_was_given(tmp_path: Path, source: str) -> None:
    target = str(tmp_path / "absent" / "app.tar")
    done = wherry("image", "pack", "--name", "app:1", "--file", source, "--output", target)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"wherry: {target}: No such file or directory"


def test_a_missing_archive_is_told_before_the_cluster_is_looked_at(stopped: Lifecycle) -> None:
    done = wherry("image", "load", "absent.tar", "--name", "nosuch")
    assert done.returncode == 1
    assert done.stderr.startswith("wherry: absent.tar: no such file; give an archive")


def test_engines_that_are_none_or_do_not_run(
    tmp_path: Path, stopped: Lifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = wherry("image", "load", "--from", "dock", "app:1")
    assert (done.returncode, done.stderr) == (
        2,
        "wherry: --from dock: is not known; use one of docker, podman\n",
    )
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'docker.sock'}")
    done = wherry("image", "load", "--from", "docker", "app:1")
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"wherry: Docker does not run: there is no socket at {tmp_path}/docker.sock; "
    )


def test_a_directory_is_not_called_missing(tmp_path: Path, stopped: Lifecycle) -> None:
    done = wherry("image", "load", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"wherry: {tmp_path}: is a directory; give an archive")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--file", "absent:/x", "--name", "x:1"), "--file absent:/x: there is no absent here; give"),
        (("--file", f"{__file__}:/x", "--name", "X Y:1"), "--name 'X Y:1' is no image name; use one such as"),
    ],
)
def test_what_cannot_be_packed_is_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = wherry("image", "pack", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_which_pods_keep_an_image_is_told() -> None:
    assert in_use({"a/web"}) == "in use by pod a/web; delete it first"
    many = in_use([f"a/web-{number}" for number in range(7)])
    assert many.startswith("in use by pods a/web-0, a/web-1,")
    assert many.endswith(" and 2 more; delete them first")


def test_a_stopped_cluster_is_told_with_the_way_to_start_it(stopped: Lifecycle) -> None:
    done = wherry("image", "list")
    assert done.returncode == 3
    assert done.stderr == "wherry: cluster 'default' is stopped; start it with: wherry start\n"


@pytest.mark.parametrize(
    "command", [("image", "list"), ("image", "load", __file__), ("logs", "agent"), ("agent",)]
)
def test_what_takes_a_node_of_this_machine_says_that_there_is_none(
    machine: Machine, command: tuple[str, ...]
) -> None:
    make(machine, runtime="simulated")
    done = wherry(*command)
    assert done.returncode == 2
    what = "agent" if "agent" in command else "images"
    assert done.stderr.startswith(f"wherry: cluster 'default' has simulated nodes only, and no {what}")


@pytest.mark.usefixtures("stopped")
def test_a_node_without_containerd_is_not_called_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Lifecycle, "is_running", lambda self: True)
    assert run_main(monkeypatch, "image", "list") == 4
    assert capsys.readouterr().err == (
        "wherry: the node of cluster 'default' has no containerd yet; what keeps it: wherry logs agent\n"
    )


DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("reference", "names", "own", "others"),
    [
        ("busybox:1", ["docker.io/library/busybox:1"], ["docker.io/library/busybox:1"], []),
        (
            "a.example/x:1",
            ["a.example/x:1", f"a.example/x@{DIGEST}", "b.example/y:1", f"b.example/y@{DIGEST}"],
            ["a.example/x:1", f"a.example/x@{DIGEST}"],
            ["b.example/y:1"],
        ),
        (
            "a.example/x:1",
            ["a.example/x:1", "a.example/x:2", f"a.example/x@{DIGEST}"],
            ["a.example/x:1"],
            ["a.example/x:2"],
        ),
        (DIGEST, ["a.example/x:1", "b.example/y:1"], ["a.example/x:1", "b.example/y:1"], []),
    ],
)
def test_which_names_go_with_one(reference: str, names: list[str], own: list[str], others: list[str]) -> None:
    assert names_of(reference, names) == (own, others)
