"""What this machine allows containers: read once, given to whoever configures containerd.

Everything is found out by looking (files below /proc and /sys, one trial mount), never by asking
what distribution this is. Programs that are missing are named together with the package that
brings them, so that the remedy is one command.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.kit.mounts import mount, unmount

CAP_SYS_RESOURCE = 24
PROGRAMS: Mapping[str, str] = {
    "containerd": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "iptables-restore": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
}
"""Each program that is run, and the Debian package that has it."""
CNI_PLUGINS = ("bridge", "host-local", "portmap", "loopback")
CNI_DIRECTORIES = (Path("/opt/cni/bin"), Path("/usr/lib/cni"), Path("/usr/libexec/cni"))
CNI_PACKAGE = "containernetworking-plugins"


class MissingPrograms(Exception):
    """Programs containers cannot do without are not installed; the text says how to get them."""

    def __init__(self, programs: Sequence[str], packages: Sequence[str]) -> None:
        self.programs = tuple(programs)
        self.packages = tuple(packages)
        super().__init__(
            f"not installed: {', '.join(programs)}; run: apt-get install -y {' '.join(packages)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """What the machine has and allows. `can_lower_oom_score` needs CAP_SYS_RESOURCE."""

    containerd: str
    ctr: str
    cni_bin_dir: Path
    cgroup_version: int
    systemd: bool
    can_lower_oom_score: bool
    overlayfs: bool
    apparmor: bool
    seccomp: bool
    memory_bytes: int
    cpus: int


def read_facts(
    data_dir: Path,
    *,
    root: Path = Path("/"),
    which: Callable[[str], str | None] = shutil.which,
    cni_directories: Sequence[Path] = CNI_DIRECTORIES,
) -> MachineFacts:
    """Look the machine over. `data_dir` is where layers will lie: overlayfs is tried there.

    `root` stands before /proc and /sys, `which` finds programs, both for tests.
    Raises MissingPrograms.
    """
    found, cni_bin_dir = find_programs(which, cni_directories)
    status = _fields(root / "proc/self/status")
    return MachineFacts(
        containerd=found["containerd"],
        ctr=found["ctr"],
        cni_bin_dir=cni_bin_dir,
        cgroup_version=2 if (root / "sys/fs/cgroup/cgroup.controllers").exists() else 1,
        systemd=(root / "run/systemd/system").is_dir(),
        can_lower_oom_score=bool(int(status.get("CapEff", "0"), 16) >> CAP_SYS_RESOURCE & 1),
        overlayfs=can_overlay(data_dir),
        apparmor=_text(root / "sys/module/apparmor/parameters/enabled").strip() == "Y",
        seccomp="Seccomp" in status,
        memory_bytes=_memory_bytes(root),
        cpus=os.cpu_count() or 1,
    )


def find_programs(
    which: Callable[[str], str | None] = shutil.which, cni_directories: Sequence[Path] = CNI_DIRECTORIES
) -> tuple[dict[str, str], Path]:
    """The path of every program that is run, and the directory of the CNI plugins. Raises MissingPrograms."""
    found = {program: path for program in PROGRAMS if (path := which(program)) is not None}
    cni_bin_dir = _cni_bin_dir(cni_directories)
    missing = sorted(PROGRAMS.keys() - found.keys())
    packages = {PROGRAMS[program] for program in missing}
    if cni_bin_dir is None:
        missing.append(f"CNI plugins {', '.join(CNI_PLUGINS)}")
        packages.add(CNI_PACKAGE)
    if cni_bin_dir is None or missing:
        raise MissingPrograms(missing, sorted(packages))
    return found, cni_bin_dir


def can_overlay(directory: Path) -> bool:
    """Whether an overlay can be mounted from layers below `directory`; found out by doing it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".overlay-", dir=directory) as name:
            trial = Path(name)
            for part in ("lower", "upper", "work", "merged"):
                (trial / part).mkdir()
            options = f"lowerdir={trial}/lower,upperdir={trial}/upper,workdir={trial}/work"
            return _mount_once(trial / "merged", options)
    except OSError:
        return False


def _mount_once(target: Path, options: str) -> bool:
    try:
        mount("overlay", target, "overlay", options=options)
    except OSError:
        return False  # that it cannot is the answer
    unmount(target)
    return True


def _cni_bin_dir(directories: Sequence[Path]) -> Path | None:
    complete = (d for d in directories if all((d / plugin).exists() for plugin in CNI_PLUGINS))
    return next(complete, None)


def _memory_bytes(root: Path) -> int:
    value = _fields(root / "proc/meminfo").get("MemTotal", "0 kB")
    return int(value.split()[0]) * 1024


def _fields(path: Path) -> dict[str, str]:
    """The `Name: value` lines of a file below /proc."""
    pairs = (line.partition(":") for line in _text(path).splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
