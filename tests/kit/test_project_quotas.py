"""Project quotas: the very calls, and file systems that have them where the machine has one.

`WHERRY_PROJECT_QUOTAS` names directories of such file systems, joined by ":" (docs/testing.md).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from wherry.kit.disk_usage import Usage, disk_usage
from wherry.kit.project_quotas import Project, project_of, project_usage, set_project

ATTRIBUTES = struct.Struct("=5I8s")
REAL = [Path(name) for name in os.environ.get("WHERRY_PROJECT_QUOTAS", "").split(":") if name]
OTHERS = [Path("/dev/shm"), Path("/proc")]


@contextmanager
def opened(directory: Path) -> Iterator[int]:
    found = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield found
    finally:
        os.close(found)


def test_a_directory_is_given_a_project_and_keeps_its_other_attributes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[tuple[int, tuple[Any, ...]]] = []
    has = ATTRIBUTES.pack(0x80, 4096, 3, 0, 7, bytes(8))

    def ioctl(descriptor: int, request: int, argument: bytes) -> bytes:
        calls.append((request, ATTRIBUTES.unpack(argument)))
        return has

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    with opened(tmp_path) as directory:
        set_project(directory, 1048577)
    empty = (0, 0, 0, 0, 0, bytes(8))
    assert calls == [(0x801C581F, empty), (0x401C5820, (0x280, 4096, 3, 1048577, 7, bytes(8)))]


class Libc:
    """The one call that is made of it, and what the kernel says."""

    def __init__(self, code: int = 0, *figures: int) -> None:
        self.code = code
        self.figures = figures
        self.asked: list[tuple[int, ...]] = []

    def syscall(self, number: int, descriptor: int, command: int, project: int, buffer: Any) -> int:
        self.asked.append((number, command, project))
        ctypes.set_errno(self.code)
        if self.figures:
            buffer.raw = struct.pack("=8QI4x", *self.figures)
        return -1 if self.code else 0


@pytest.mark.parametrize(
    ("libc", "found"),
    [
        (Libc(0, 0, 0, 202752, 0, 0, 4, 0, 0, 63), Usage(202752, 4)),
        (Libc(errno.ENOENT), Usage()),
        (Libc(errno.ESRCH), None),
        (Libc(errno.ENOSYS), None),
        (Libc(errno.EPERM), None),
    ],
)
def test_what_a_project_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, libc: Libc, found: Usage | None
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: libc)
    with opened(tmp_path) as directory:
        assert project_usage(directory, 1048577) == found
    assert libc.asked == [(443, 0x80000702, 1048577)]


def test_other_failures_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc(errno.EIO))
    with opened(tmp_path) as directory, pytest.raises(OSError, match="Input/output"):
        project_usage(directory, 1)


@pytest.mark.parametrize("place", OTHERS)
def test_file_systems_without_quotas_count_nothing(place: Path) -> None:
    with opened(place) as directory:
        project = project_of(directory)
        assert project is None or not project.number
        assert project_usage(directory, 1048577) is None


@pytest.mark.parametrize("place", REAL)
def test_the_kernel_counts_hostile_trees_as_a_walk_does(place: Path) -> None:
    number = 77
    tree = place / "hostile"
    tree.mkdir()
    with opened(tree) as directory:
        set_project(directory, number)
        assert project_of(directory) == Project(number, inherited=True)
    with (tree / "sparse").open("wb") as file:
        file.truncate(1 << 30)
        file.write(b"x" * 4096)
    (tree / "file").write_bytes(b"x" * 100_000)
    os.link(tree / "file", tree / "again")
    other = place / "other"
    other.mkdir()
    with opened(other) as directory:
        set_project(directory, number + 1)
    with pytest.raises(OSError, match="cross-device"):  # a file is in one project
        os.link(tree / "file", other / "outside")
    deep = os.open(tree, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=deep)
        below = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=deep))
    os.close(deep)
    for name in range(20_000):
        os.mknod(tree / f"{name}")
    os.sync()
    with opened(tree) as directory:
        counted = project_usage(directory, number)
    walked, _ = disk_usage(tree, 60)
    assert counted is not None
    assert counted.inodes == walked.inodes == 1 + 2 + 1200 + 1 + 20_000
    assert abs(counted.bytes - walked.bytes) < 64 * 1024
