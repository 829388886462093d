"""Files into and out of a root that belongs to somebody else: nothing outside of it is read or written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.openings import openings
from wherry.cli.copying import CopyFailure, Owner, copy_in, copy_out
from wherry.kit.trees import remove_tree

OWN = Owner(os.getuid(), os.getgid())


class Box:
    """A container's root on paper, and a folder beside it that is not to be touched."""

    def __init__(self, directory: Path) -> None:
        self.here = directory / "here"
        self.root = directory / "root"
        self.outside = directory / "outside"
        for one in (self.here, self.root / "etc", self.root / "data", self.outside):
            one.mkdir(parents=True)
        (self.outside / "secret").write_text("secret")
        (self.root / "etc/app.conf").write_text("a=1\n")
        (self.root / "out").symlink_to(self.outside)
        (self.root / "abs").symlink_to("/etc")
        (self.root / "etc/link").symlink_to(self.outside / "secret")
        self.skipped: list[str] = []

    def into(self, source: Path, target: str) -> int:
        return copy_in(source, self.root, target, OWN, self.skipped.append)

    def out_of(self, source: str, target: Path) -> int:
        return copy_out(self.root, source, target, self.skipped.append)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_a_file_there_and_back(box: Box) -> None:
    data = os.urandom(300_000)
    (box.here / "a.bin").write_bytes(data)
    (box.here / "a.bin").chmod(0o640)
    assert box.into(box.here / "a.bin", "/data/b.bin") == 1
    assert (box.root / "data/b.bin").stat().st_mode & 0o777 == 0o640
    assert box.into(box.here / "a.bin", "/data/") == 1, "into a directory that is there"
    assert box.out_of("/data/a.bin", box.here / "back.bin") == 1
    assert (box.here / "back.bin").read_bytes() == data
    (box.here / "a.bin").write_text("short")
    assert box.into(box.here / "a.bin", "/data/b.bin") == 1
    assert (box.root / "data/b.bin").read_text() == "short"


def test_directories(box: Box) -> None:
    (box.here / "tree/below").mkdir(parents=True)
    (box.here / "tree/one").write_text("1")
    (box.here / "tree/below/two").write_text("2")
    (box.here / "tree/link").symlink_to("one")
    assert box.into(box.here / "tree", "/data") == 2
    assert (box.root / "data/tree/below/two").read_text() == "2"
    assert box.skipped == [str(box.here / "tree/link")]
    assert box.out_of("/data/tree", box.here / "copy") == 2
    assert (box.here / "copy/below/two").read_text() == "2"


def test_links_lead_where_the_container_would_find_them(box: Box) -> None:
    assert box.out_of("/abs/app.conf", box.here / "got") == 1
    assert (box.here / "got").read_text() == "a=1\n"
    with pytest.raises(CopyFailure, match="No such file"):
        box.out_of("/out/secret", box.here / "stolen")
    with pytest.raises(CopyFailure, match="No such file"):
        box.out_of("/etc/link", box.here / "stolen")
    with pytest.raises(CopyFailure, match="No such file"):
        box.out_of("/../outside/secret", box.here / "stolen")
    assert box.out_of("/etc", box.here / "etc") == 1
    assert box.skipped == ["/etc/link"]
    assert not (box.here / "stolen").exists()


def test_nothing_is_written_outside(box: Box) -> None:
    (box.here / "evil").write_text("evil")
    for target in ("/out/evil", "/../outside/evil", "/etc/link"):
        with pytest.raises(CopyFailure):
            box.into(box.here / "evil", target)
    assert [one.name for one in box.outside.iterdir()] == ["secret"]
    assert (box.outside / "secret").read_text() == "secret"


def test_pipes_are_not_opened(box: Box) -> None:
    """To whom waits at the other end it would look as if its reader, or writer, came and went."""
    os.mkfifo(box.root / "data/pipe")
    (box.root / "data/file").write_text("text")
    (box.here / "a").write_text("a")
    reader = os.open(box.root / "data/pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with openings(box.root / "data") as opened:
            assert box.out_of("/data/pipe", box.here / "pipe") == 0
            assert box.out_of("/data", box.here / "data") == 1
            with pytest.raises(CopyFailure, match="regular file"):
                box.into(box.here / "a", "/data/pipe")
    finally:
        os.close(reader)
    assert opened == ["file"]
    assert box.skipped == ["/data/pipe", "/data/pipe"]


def test_what_is_not_there(box: Box) -> None:
    with pytest.raises(CopyFailure, match="no such file"):
        box.into(box.here / "none", "/data/x")
    (box.here / "a").write_text("a")
    with pytest.raises(CopyFailure, match="in the container"):
        box.into(box.here / "a", "/none/x")


DEEP = 1500


def test_trees_as_deep_as_the_kernel_makes_them(box: Box) -> None:
    """Deeper than Python's stack, longer than a path may be, with more levels than open files by default."""
    deep = os.open(box.here, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(DEEP):
        os.mkdir("level", dir_fd=deep)
        below = os.open("level", os.O_RDONLY | os.O_DIRECTORY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=deep))
    os.close(deep)
    try:
        assert box.into(box.here / "level", "/data/in") == 1
        assert box.out_of("/data/in", box.here / "out") == 1
        assert box.skipped == []
    finally:
        for one in (box.here / "level", box.here / "out", box.root / "data/in"):
            remove_tree(one)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "No space left on device; free some space there, or copy elsewhere"),
        (errno.EROFS, "Read-only file system; copy to a volume that can be written"),
        (errno.EMFILE, "Too many open files; raise the limit of open files (ulimit -n)"),
        (errno.EIO, "Input/output error"),
    ],
)
@pytest.mark.parametrize("is_out", [False, True])
def test_what_the_system_refuses_is_one_line(
    box: Box, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str, is_out: bool
) -> None:
    (box.here / "a").write_text("a")

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("shutil.copyfileobj", refuse)
    with open_files_stay(), pytest.raises(CopyFailure) as caught:
        box.out_of("/etc/app.conf", box.here) if is_out else box.into(box.here / "a", "/data/")
    assert str(caught.value) == f"{'/etc/app.conf' if is_out else box.here / 'a'}: {remedy}"


def test_places_that_are_none(box: Box) -> None:
    with open_files_stay(), pytest.raises(CopyFailure, match="none/below: No such file or directory"):
        box.out_of("/etc/app.conf", box.here / "none/below")
    with open_files_stay(), pytest.raises(CopyFailure, match=r"is no regular file"):
        box.out_of("/etc/app.conf", Path("/dev/null"))


@contextmanager
def open_files_stay() -> Iterator[None]:
    """As many descriptors are open after as before."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before
