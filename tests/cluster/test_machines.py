"""Where the clusters of a user without root lie, and which of two of the same name is meant."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from wherry.cluster.clusters import Machine, free_defaults
from wherry.cluster.config import ConfigError, Setup, dump_config
from wherry.cluster.machines import default_runtime, machine_of, own_machine

UID = os.geteuid()


def make(machine: Machine, name: str) -> None:
    path = machine.paths(name).config
    path.parent.mkdir(parents=True)
    path.write_text(dump_config(Setup.of(name)))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "run").mkdir(mode=0o700)
    return {
        "HOME": str(tmp_path / "home"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "WHERRY_DATA_ROOT": str(tmp_path / "roots"),
        "WHERRY_RUN_ROOT": str(tmp_path / "roots-run"),
    }


def test_a_users_own_directories(environ: dict[str, str], tmp_path: Path) -> None:
    own = own_machine(environ)
    assert own.data_root == tmp_path / "home" / ".local" / "share" / "wherry"
    assert own.run_root == tmp_path / "run" / "wherry"
    elsewhere = own_machine({**environ, "XDG_DATA_HOME": "/data", "XDG_RUNTIME_DIR": "/nowhere"})
    assert elsewhere.data_root == Path("/data/wherry")
    assert elsewhere.run_root == Path(f"/tmp/wherry-{UID}")


def test_a_run_directory_that_others_can_write_to_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    own = own_machine(environ)
    own.prepare()
    own.prepare()
    assert own.run_root.stat().st_mode & 0o777 == 0o700
    own.run_root.chmod(0o777)
    with pytest.raises(ConfigError, match="is not yours alone; remove it"):
        own.prepare()
    own.run_root.rmdir()
    own.run_root.symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="is not yours alone"):
        own.prepare()


def test_a_name_that_only_root_has_used_means_roots(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = machine_of("default", environ)
    assert roots.is_users is (UID != 0)
    make(Machine(data_root=Path(environ["WHERRY_DATA_ROOT"])), "default")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert not machine_of("default", environ).is_users
    assert machine_of("mine", environ).is_users
    make(own_machine(environ), "default")
    assert machine_of("default", environ).is_users


def test_the_runtime_where_there_is_no_root_or_no_containerd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert default_runtime() == ("simulated", "you are not root")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nowhere")
    assert default_runtime() == ("simulated", "containerd and runc not found")


def test_a_port_of_somebody_elses_cluster_is_passed_over(tmp_path: Path) -> None:
    machine = Machine(data_root=tmp_path / "data")
    free = free_defaults(machine, "one", "simulated").setup.cluster
    with socket.create_server(("127.0.0.1", free.api_port)):
        assert free_defaults(machine, "one", "simulated").setup.cluster.api_port > free.api_port
