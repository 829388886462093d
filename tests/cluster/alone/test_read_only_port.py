"""10255, where kubelets once told everything to anybody: no setting, flag or file makes one listen there."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.cluster.alone import kubelet
from wherry.cluster.alone.flags import NUMBER, FlagError, parse
from wherry.cluster.settings import SETTINGS
from wherry.kubelet.configuration.fields import FIELDS

HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
FLAGS = [flag.name for flag in kubelet.FLAGS if flag.kind == NUMBER and flag.name.endswith("port")]
IN_FILES = [field.path for field in FIELDS if field.path.lower().endswith("port")]


def configure(*arguments: str) -> None:
    kubelet.kubelet_config(
        *kubelet.settled(parse("kubelet", kubelet.FLAGS, ("--node-ip=192.0.2.1", *arguments)))
    )


@pytest.mark.parametrize("flag", FLAGS)
def test_flags(flag: str) -> None:
    with pytest.raises(FlagError, match=f"--{flag}: '?10255"):
        configure(f"--{flag}=10255")


@pytest.mark.parametrize("path", IN_FILES)
def test_files(path: str, tmp_path: Path) -> None:
    file, folder = tmp_path / "kubelet.yaml", tmp_path / "kubelet.conf.d"
    file.write_text(f"{HEAD}{path}: 10255\n")
    with pytest.raises(FlagError, match="10255"):
        configure(f"--config={file}")
    folder.mkdir()
    file.write_text(HEAD)
    (folder / "10-port.conf").write_text(f"{HEAD}{path}: 10255\n")
    with pytest.raises(FlagError, match="10255"):
        configure(f"--config={file}", f"--config-dir={folder}")


def test_settings_of_up() -> None:
    assert [name for name in SETTINGS if "read_only" in name] == []
    with pytest.raises(ValueError, match="10255 was kubelets' port without TLS, and stays closed"):
        SETTINGS["kubelet_port"].parse("10255")


def test_there_is_something_to_refuse() -> None:
    assert {"port", "healthz-port", "read-only-port"} <= set(FLAGS)
    assert {"port", "healthzPort", "readOnlyPort"} <= set(IN_FILES)
    configure("--read-only-port=0", "--healthz-port=0")
