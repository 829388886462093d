"""Copying files into and out of a container's root without a program in it: no tar, no shell.

The root is what a process of the container sees (`/proc/PID/root`), volumes included. Whatever links its
files make, the kernel resolves paths as the container would (`kubelet/volumes/beneath`): nothing outside is
read or written. Out of it come plain files and directories; links, sockets and devices are told of and left.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wherry.kubelet.volumes.beneath import open_in_root

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class CopyFailure(Exception):
    """Something cannot be copied; the text says what, and why."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom files made in a container belong to."""

    uid: int
    gid: int


def owner_of(process: int, proc: Path = Path("/proc")) -> Owner:
    """The user a process runs as. Raises OSError."""
    found = (proc / str(process)).stat()
    return Owner(found.st_uid, found.st_gid)


def copy_in(source: Path, root: Path, target: str, owner: Owner, skipped: Callable[[str], None]) -> int:
    """Copy a file or directory to `target` in the container; how many files. Raises CopyFailure.

    As `cp` does it: into a directory that is there, else by that name.
    """
    if not source.exists():
        raise CopyFailure(f"{source}: no such file or directory")
    place = PurePosixPath(target)
    if _is_directory(root, target):
        place /= source.name
    with _opened(root, str(place.parent)) as parent:
        return _put(source, parent, place.name, owner, skipped)


def copy_out(root: Path, source: str, target: Path, skipped: Callable[[str], None]) -> int:
    """Copy a file or directory of the container to `target`; how many files. Raises CopyFailure."""
    name = PurePosixPath(source).name
    place = target / name if target.is_dir() and name else target
    try:
        found = open_in_root(root, source, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise CopyFailure(f"{source}: {error.strerror}") from error
    try:
        return _take(found, source, place, skipped)
    finally:
        os.close(found)


def _put(source: Path, parent: int, name: str, owner: Owner, skipped: Callable[[str], None]) -> int:
    """Copy one file or directory to `name` in the open directory."""
    mode = source.lstat().st_mode
    try:
        if stat.S_ISDIR(mode):
            try:
                os.mkdir(name, 0o700, dir_fd=parent)
            except FileExistsError:
                made = os.open(name, _DIRECTORY, dir_fd=parent)
            else:
                made = os.open(name, _DIRECTORY, dir_fd=parent)
                os.fchown(made, owner.uid, owner.gid)
                os.fchmod(made, stat.S_IMODE(mode) & 0o777)
            try:
                return sum(_put(one, made, one.name, owner, skipped) for one in sorted(source.iterdir()))
            finally:
                os.close(made)
        if not stat.S_ISREG(mode):
            skipped(str(source))
            return 0
        with (
            source.open("rb") as reader,
            os.fdopen(os.open(name, _WRITE, 0o600, dir_fd=parent), "wb") as writer,
        ):
            if not stat.S_ISREG(os.fstat(writer.fileno()).st_mode):
                raise CopyFailure(f"{name}: is no regular file in the container")
            os.fchown(writer.fileno(), owner.uid, owner.gid)
            shutil.copyfileobj(reader, writer)
            os.fchmod(writer.fileno(), stat.S_IMODE(mode) & 0o777)
    except OSError as error:
        raise CopyFailure(f"{source} to {name}: {error.strerror}") from error
    return 1


def _take(found: int, called: str, place: Path, skipped: Callable[[str], None]) -> int:
    """Copy what an open descriptor of the container shows to `place`."""
    mode = os.fstat(found).st_mode
    if stat.S_ISREG(mode):
        with os.fdopen(os.dup(found), "rb") as reader, place.open("wb") as writer:
            shutil.copyfileobj(reader, writer)
            os.fchmod(writer.fileno(), stat.S_IMODE(mode) & 0o777)
        return 1
    if not stat.S_ISDIR(mode):
        skipped(called)
        return 0
    place.mkdir(exist_ok=True)
    count = 0
    with os.scandir(found) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        try:
            one = os.open(name, _READ, dir_fd=found)
        except OSError:  # a link, a socket, or gone by now
            skipped(f"{called.rstrip('/')}/{name}")
            continue
        try:
            count += _take(one, f"{called.rstrip('/')}/{name}", place / name, skipped)
        finally:
            os.close(one)
    return count


def _is_directory(root: Path, path: str) -> bool:
    try:
        os.close(open_in_root(root, path, os.O_PATH | os.O_DIRECTORY))
    except OSError:
        return False
    return True


@contextmanager
def _opened(root: Path, path: str) -> Iterator[int]:
    try:
        found = open_in_root(root, path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise CopyFailure(f"{path}: {error.strerror} in the container") from error
    try:
        yield found
    finally:
        os.close(found)
