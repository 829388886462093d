"""What the machine allows, read from made-up trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.kubelet.runtimes.containerd.facts import CNI_PLUGINS, MissingPrograms, read_facts

ALL_CAPABILITIES = "000001ffffffffff"
NO_SYS_RESOURCE = "000001fffeffffff"


def plugins(tmp_path: Path) -> Path:
    directory = tmp_path / "cni"
    directory.mkdir()
    for plugin in CNI_PLUGINS:
        (directory / plugin).touch()
    return directory


def machine(tmp_path: Path, capabilities: str) -> Path:
    root = tmp_path / "root"
    (root / "proc/self").mkdir(parents=True)
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "proc/self/status").write_text(f"Name:\tx\nCapEff:\t{capabilities}\nSeccomp:\t0\n")
    (root / "proc/meminfo").write_text("MemTotal:       2048 kB\nMemFree: 1 kB\n")
    return root


@pytest.mark.parametrize(("capabilities", "expected"), [(ALL_CAPABILITIES, True), (NO_SYS_RESOURCE, False)])
def test_oom_score_needs_a_capability(tmp_path: Path, capabilities: str, expected: bool) -> None:
    facts = read_facts(
        tmp_path / "data",
        root=machine(tmp_path, capabilities),
        which=lambda program: f"/bin/{program}",
        cni_directories=[tmp_path / "absent", plugins(tmp_path)],
    )
    assert facts.can_lower_oom_score is expected
    assert facts.memory_bytes == 2048 * 1024
    assert facts.seccomp
    assert not facts.apparmor
    assert facts.cgroup_version == 1
    assert facts.cni_bin_dir == tmp_path / "cni"


def test_unified_cgroups_are_told_apart(tmp_path: Path) -> None:
    root = machine(tmp_path, ALL_CAPABILITIES)
    (root / "sys/fs/cgroup/cgroup.controllers").touch()
    facts = read_facts(tmp_path / "data", root=root, which=str, cni_directories=[plugins(tmp_path)])
    assert facts.cgroup_version == 2


def test_missing_programs_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MissingPrograms) as raised:
        read_facts(
            tmp_path / "data",
            root=machine(tmp_path, ALL_CAPABILITIES),
            which=lambda program: None if program == "runc" else program,
            cni_directories=[tmp_path],
        )
    assert str(raised.value) == (
        "not installed: runc, CNI plugins bridge, host-local, portmap, loopback; "
        "run: apt-get install -y containernetworking-plugins runc"
    )
