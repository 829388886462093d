"""containerd's configuration follows paths and facts."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

from wherry.kubelet.registries.registries import parse_registries
from wherry.kubelet.runtimes.containerd.config import ContainerdPaths, render_config
from wherry.kubelet.runtimes.containerd.facts import MachineFacts

PATHS = ContainerdPaths(Path("/data/ctd"), Path("/run/x/ctd"), Path("/data/cni/net.d"), Path("/data/log"))
FACTS = MachineFacts(
    containerd="/usr/bin/containerd",
    ctr="/usr/bin/ctr",
    cni_bin_dir=Path("/opt/cni/bin"),
    cgroup_version=2,
    systemd=True,
    can_lower_oom_score=True,
    overlayfs=True,
    apparmor=True,
    seccomp=True,
    memory_bytes=1,
    cpus=1,
)


def cri(facts: MachineFacts) -> dict[str, object]:
    document = tomllib.loads(render_config(PATHS, facts, "example.com/pause:1"))
    section: dict[str, object] = document["plugins"]["io.containerd.grpc.v1.cri"]
    return section


def test_everything_lies_in_the_clusters_directories() -> None:
    document = tomllib.loads(render_config(PATHS, FACTS, "example.com/pause:1"))
    assert (document["root"], document["state"]) == ("/data/ctd", "/run/x/ctd")
    assert document["grpc"]["address"] == "/run/x/ctd/containerd.sock"
    section = document["plugins"]["io.containerd.grpc.v1.cri"]
    assert section["sandbox_image"] == "example.com/pause:1"
    assert section["netns_mounts_under_state_dir"]
    assert section["cni"] == {"bin_dir": "/opt/cni/bin", "conf_dir": "/data/cni/net.d"}
    assert section["containerd"]["runtimes"]["runc"]["options"]["Root"] == "/run/x/ctd/runc"


def test_what_the_machine_lacks_is_done_without() -> None:
    able = cri(FACTS)
    assert not able["restrict_oom_score_adj"]
    assert not able["disable_apparmor"]
    poor = cri(replace(FACTS, can_lower_oom_score=False, apparmor=False, overlayfs=False))
    assert poor["restrict_oom_score_adj"]
    assert poor["disable_apparmor"]
    assert poor["containerd"] == {
        "default_runtime_name": "runc",
        "snapshotter": "native",
        "runtimes": able["containerd"]["runtimes"],  # type: ignore[index]
    }


def test_registries_are_told_of_only_if_there_are_some() -> None:
    assert "registry" not in cri(FACTS)
    told = parse_registries('configs: {"a.example:5000": {auth: {username: u, password: \'p"q\'}}}')
    document = tomllib.loads(render_config(PATHS, FACTS, "example.com/pause:1", told))
    assert document["plugins"]["io.containerd.grpc.v1.cri"]["registry"] == {
        "config_path": "/run/x/ctd/certs.d",
        "configs": {"a.example:5000": {"auth": {"username": "u", "password": 'p"q'}}},
    }
