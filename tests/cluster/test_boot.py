"""What starts a cluster at boot: the exact unit, the exact calls, and nothing left of either."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from wherry.cluster.boot import BootFailure, BootUnit, render_unit, start_command
from wherry.cluster.clusters import Machine
from wherry.cluster.config import Setup
from wherry.cluster.lifecycle import EndFailed, Lifecycle
from wherry.cluster.paths import ClusterPaths

UNIT = "wherry@dev-1.service"
FAKE = """#!/bin/sh
echo "$@" >> {calls}
{behaviour}
case "$*" in
  *enable*) mkdir -p {wants} && ln -s ../{unit} {wants}/{unit} ;;
esac
"""


@dataclass(frozen=True)
class Booted:
    """A machine that looks as if systemd had booted it; its `systemctl` writes down how it is called."""

    root: Path
    paths: ClusterPaths

    @property
    def boot(self) -> BootUnit:
        return BootUnit(name="dev-1", paths=self.paths, root=self.root)

    @property
    def link(self) -> Path:
        return self.root / "etc/systemd/system/multi-user.target.wants" / UNIT

    def calls(self) -> list[str]:
        """The arguments of each call so far, and forget them."""
        log = self.root / "calls"
        found = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return found

    def behave(self, behaviour: str = "") -> None:
        """Let `systemctl` be one that does this shell code first."""
        program = self.root / "bin/systemctl"
        program.write_text(
            FAKE.format(calls=self.root / "calls", behaviour=behaviour, wants=self.link.parent, unit=UNIT)
        )
        program.chmod(0o755)


@pytest.fixture
def booted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Booted:
    for directory in ("run/systemd/system", "etc/systemd/system", "bin", "data"):
        (tmp_path / directory).mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    made = Booted(tmp_path, ClusterPaths(tmp_path / "data", tmp_path / "run/wherry/dev-1"))
    made.behave()
    return made


def test_the_unit_to_the_letter(booted: Booted) -> None:
    data, wherry = booted.paths.data, f"{sys.executable} -m wherry.cli.main"
    text = render_unit("dev-1", booted.paths, {"HOME": "/home/me", "WHERRY_RUN_ROOT": "/run/w"})
    assert (
        text
        == f"""\
# Made by `wherry up`, removed by `wherry down` and `wherry delete`.
[Unit]
Description=Wherry cluster dev-1
After=network.target
RequiresMountsFor={data}
ConditionPathExists={data}/cluster.yaml

[Service]
Type=oneshot
RemainAfterExit=yes
Environment=KUBECONFIG={data}/admin.kubeconfig WHERRY_RUN_ROOT=/run/w
ExecStart={wherry} start --name dev-1 --data-dir {data} --wait 120
ExecStop=-{wherry} stop --name dev-1 --data-dir {data}
SuccessExitStatus=4
TimeoutStartSec=180
# Containers outlive the control plane; `wherry down` ends them.
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitCORE=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
"""
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("directory", ["data", "two words", 'odd "$HOME" 100%n'])
def test_systemd_understands_it(tmp_path: Path, directory: str) -> None:
    paths = ClusterPaths(tmp_path / directory, tmp_path / "run")
    file = tmp_path / UNIT
    file.write_text(render_unit("dev-1", paths, {"WHERRY_DATA_ROOT": str(tmp_path / directory)}))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if UNIT in line]
    assert (done.returncode, said) == (0, []), done.stderr


def test_it_is_made_and_enabled_once(booted: Booted) -> None:
    booted.boot.install({})
    assert booted.calls() == [f"--no-reload --quiet enable {UNIT}"]
    assert booted.boot.file.read_text() == render_unit("dev-1", booted.paths, {})
    assert booted.link.exists()
    booted.boot.install({})
    assert booted.calls() == [], "who disabled it meanwhile meant it"
    booted.boot.install({"WHERRY_RUN_ROOT": "/run/w"})
    assert booted.calls() == ["daemon-reload"], "it changed, and is read again"
    assert "/run/w" in booted.boot.file.read_text()


def test_everybody_may_read_it_whatever_the_umask(booted: Booted) -> None:
    before = os.umask(0o077)
    try:
        booted.boot.install({})
    finally:
        os.umask(before)
    assert stat.S_IMODE(booted.boot.file.stat().st_mode) == 0o644


def test_nothing_of_it_stays(booted: Booted) -> None:
    booted.boot.install({})
    booted.calls()
    booted.boot.remove()
    assert booted.calls() == [f"--quiet disable --now {UNIT}", "daemon-reload"]
    assert list((booted.root / "etc/systemd/system").rglob("wherry*")) == []
    booted.boot.remove()
    assert booted.calls() == [], "there is nothing to remove"


def test_a_refusal_is_one_line_and_leaves_nothing(booted: Booted) -> None:
    booted.behave('case "$*" in *enable*) printf "Failed to enable:\\nno bus\\n" >&2; exit 1;; esac')
    with pytest.raises(BootFailure) as caught:
        booted.boot.install({})
    assert str(caught.value) == f"systemctl --no-reload --quiet enable {UNIT}: Failed to enable: no bus"
    assert not booted.boot.file.exists()


def test_removing_it_says_what_resists_and_removes_the_files_all_the_same(booted: Booted) -> None:
    booted.boot.install({})
    booted.behave('case "$*" in *disable*) exit 5;; esac')
    with pytest.raises(BootFailure, match="exit code 5"):
        booted.boot.remove()
    assert not booted.boot.file.exists()
    assert not booted.link.is_symlink()


def test_it_goes_where_systemd_is_no_more(booted: Booted) -> None:
    booted.boot.install({})
    booted.calls()
    (booted.root / "run/systemd/system").rmdir()
    assert not booted.boot.is_possible()
    booted.boot.remove()
    assert booted.calls() == []
    assert not booted.link.is_symlink()


def test_down_and_delete_take_it_away(booted: Booted) -> None:
    machine = Machine(data_root=booted.root / "clusters", run_root=booted.root / "run/wherry")
    config = Setup.of("dev-1", node_name="n")
    lifecycle = Lifecycle(machine, config, booted.paths, booted.root)
    lifecycle.boot.install({})
    booted.calls()
    lifecycle.tear_down()
    assert f"--quiet disable --now {UNIT}" in booted.calls()
    lifecycle.boot.install({})
    lifecycle.delete()
    assert not lifecycle.boot.file.exists()
    lifecycle.boot.install({})
    booted.behave("exit 1")
    with pytest.raises(EndFailed, match="systemctl"):
        lifecycle.tear_down()


def test_the_command_for_cron_is_the_same(booted: Booted) -> None:
    command = start_command("dev-1", booted.paths)
    assert shlex.join(command).endswith(f"start --name dev-1 --data-dir {booted.paths.data}")
    unit = render_unit("dev-1", booted.paths, {})
    assert f"ExecStart={shlex.join(command)} " in unit
