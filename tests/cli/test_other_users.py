"""Root has a cluster, and somebody else asks: what is theirs to know is told, and how to get at the rest."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import make
from tests.cli.warm import warm
from wherry.cluster.advice import as_root
from wherry.cluster.clusters import Machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")


@pytest.fixture
def open_machine(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine whose data root everybody may look at, as it is below /var/lib."""
    directory = Path(tempfile.mkdtemp(prefix="wherry-users-", dir="/tmp"))
    directory.chmod(0o755)
    (directory / "home").mkdir()
    shutil.chown(directory / "home", 65534, 65534)
    (directory / "data").mkdir()
    monkeypatch.setenv("WHERRY_DATA_ROOT", str(directory / "data"))
    monkeypatch.setenv("WHERRY_RUN_ROOT", str(directory / "run"))
    monkeypatch.setenv("HOME", str(directory / "home"))
    yield Machine(data_root=directory / "data", run_root=directory / "run")
    shutil.rmtree(directory)


def as_nobody(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `wherry ...` without root's rights, from code that is loaded before they are given up.

    The checkout may lie where only root can read.
    """
    return warm().run(arguments, cwd="/", as_nobody=True)


def test_list_names_what_it_may_not_look_into(open_machine: Machine) -> None:
    make(open_machine)
    done = as_nobody("list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].split("  ")[:2] == ["default", "not readable (root's)"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("status", "--name", "nosuch"), 3, "there is no cluster 'nosuch'; there are: default; make it"),
        (("status",), 77, f"cluster 'default' is root's; run it again {as_root()}"),
        (("up", "--name", "mine", "--runtime", "containerd"), 77, f"need root: run it again {as_root()}"),
        (("up",), 77, f"run it again {as_root()}"),
        (("stop",), 77, f"run it again {as_root()}"),
        (("kubectl", "get", "pods"), 77, "your kubeconfig has no context wherry-default; run"),
    ],
)
def test_one_line_with_the_remedy(
    open_machine: Machine, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.setenv("WHERRY_KUBECTL", "/bin/true")
    make(open_machine)
    done = as_nobody(*arguments)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == code


def test_a_context_in_ones_own_kubeconfig_is_used(
    open_machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERRY_KUBECTL", "/bin/echo")
    make(open_machine)
    config = open_machine.data_root.parent / "home" / ".kube" / "config"
    config.parent.mkdir()
    config.write_text("contexts: [{name: wherry-default}]")
    shutil.chown(config, 65534, 65534)
    done = as_nobody("kubectl", "get", "pods")
    assert done.stdout == "--context wherry-default get pods\n"


def test_without_sudo_nobody_is_told_to_use_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert as_root() == "as root"
    (tmp_path / "sudo").touch(0o755)
    assert as_root() == "with sudo"
