"""Copying files into and out of a container's root without a program in it: no tar, no shell.

The root is what a process of the container sees (`cli/entering`), volumes included. Whatever links its
files make, the kernel resolves paths as the container would (`kubelet/volumes/beneath`): nothing outside is
read or written. Out of it come plain files and directories; links, pipes, sockets and devices are told of
and left as they are: not even opened (`kit/plain_files`).
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wherry.kit.plain_files import NotPlain, open_plain
from wherry.kubelet.volumes.beneath import open_in_root, open_plain_in_root

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class CopyFailure(Exception):
    """Something cannot be copied; the text says what, and why."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom files made in a container belong to."""

    uid: int
    gid: int


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
        found = open_plain_in_root(root, source, directories=True)
    except NotPlain:
        skipped(source)
        return 0
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
            os.fdopen(_writable(parent, name), "wb") as writer,
        ):
            os.fchown(writer.fileno(), owner.uid, owner.gid)
            shutil.copyfileobj(reader, writer)
            os.fchmod(writer.fileno(), stat.S_IMODE(mode) & 0o777)
    except OSError as error:
        raise CopyFailure(f"{source} to {name}: {error.strerror}") from error
    return 1


def _writable(parent: int, name: str) -> int:
    """A descriptor of the empty file `name` in the open directory, whether or not it was there."""
    try:
        return open_plain(name, os.O_WRONLY | os.O_TRUNC, dir_fd=parent)
    except FileNotFoundError:
        return os.open(name, _NEW, 0o600, dir_fd=parent)


def _take(found: int, called: str, place: Path, skipped: Callable[[str], None]) -> int:
    """Copy the open file or directory of the container to `place`."""
    mode = os.fstat(found).st_mode
    if stat.S_ISREG(mode):
        with os.fdopen(os.dup(found), "rb") as reader, place.open("wb") as writer:
            shutil.copyfileobj(reader, writer)
            os.fchmod(writer.fileno(), stat.S_IMODE(mode) & 0o777)
        return 1
    place.mkdir(exist_ok=True)
    count = 0
    with os.scandir(found) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        try:
            one = open_plain(name, dir_fd=found, directories=True)
        except OSError:  # a link, a pipe, a device, a socket, or gone by now
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
