"""Directory trees of strangers: removed and walked by descriptors, whatever their shape.

What a container leaves may be deeper than Python's stack, have paths longer than the kernel takes, hold
symbolic links that lead elsewhere, and change or vanish while it is looked at. So nothing here recurses
or pastes paths: one directory is open at a time, its entries are named relative to it, links are never
followed, and the way back up is `..`, checked to lead where the way down came from (Go's `os.RemoveAll`
works by descriptors too). No mount is entered, not even one of the same file system: whoever removes a
volume must not remove what was only shown there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeAlias

_BATCH = 1024
"""So many entries of a directory are held in memory at a time while it is removed."""
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY)

_Identity: TypeAlias = tuple[int, int]


class TreeFailure(OSError):
    """A tree cannot be gone through: something is mounted in it, or somebody moves its directories."""


class _Step(NamedTuple):
    """The way back up from a directory: its name, and which one its parent is."""

    name: str
    parent: _Identity


def remove_tree(path: Path) -> None:
    """Remove `path` with everything below it; harmless when it is not there.

    A symbolic link in its place is removed, not followed. Raises OSError, which names the first thing
    that could not be removed (TreeFailure for a mount: nothing below it was touched).
    """
    try:
        directory = os.open(path, _OPEN)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        path.unlink(missing_ok=True)
        return
    way: list[_Step] = []
    try:
        mount = _mount_of(directory)
        while True:
            name = _empty(directory)
            if name is not None:
                step = _Step(name, _identity(directory))
                directory = _enter(directory, name, mount)
                way.append(step)
            elif way:
                directory = _leave(directory, way[-1])
                _remove_directory(way.pop().name, directory)
            else:
                break
    except OSError as error:
        raise _located(error, path, way) from error
    finally:
        os.close(directory)
    _remove_directory(str(path))


def remove_directories(path: Path) -> bool:
    """Remove `path` and all directories below it, deepest first; whether it is gone.

    For cgroups, whose files go with them. Those that are in use stay; what vanishes meanwhile is fine.
    Raises OSError for what cannot be read.
    """
    for directory, names in walk(path):
        for name in names:
            _remove_directory(name, directory, tolerant=True)
    return _remove_directory(str(path), tolerant=True)


def walk(path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """Every directory at and below `path`, deepest first: its descriptor, its subdirectories' names.

    The descriptor is good until the next step. What vanishes meanwhile is left out; mounts are not
    entered. Raises OSError for what cannot be read.
    """
    try:
        directory = os.open(path, _OPEN)
    except (FileNotFoundError, NotADirectoryError):
        return
    way: list[_Step] = []
    try:
        mount = _mount_of(directory)
        names = [_subdirectories(directory)]
        left = [list(names[0])]
        while True:
            if left[-1]:
                step = _Step(left[-1].pop(), _identity(directory))
                try:
                    directory = _enter(directory, step.name, mount)
                except (FileNotFoundError, NotADirectoryError, TreeFailure):
                    continue
                way.append(step)
                names.append(_subdirectories(directory))
                left.append(list(names[-1]))
                continue
            yield directory, names.pop()
            left.pop()
            if not way:
                return
            directory = _leave(directory, way[-1])
            way.pop()
    except OSError as error:
        raise _located(error, path, way) from error
    finally:
        os.close(directory)


def descend(path: Path, look: Callable[[int], Sequence[str] | None]) -> None:
    """Go through the directories at and below `path`, each before those in it, until `look` has seen enough.

    `look` is given a directory's descriptor and names those of its subdirectories that are to be gone into;
    None ends it. What vanishes meanwhile is left out; mounts are not entered. Raises OSError for what
    cannot be read.
    """
    try:
        directory = os.open(path, _OPEN)
    except (FileNotFoundError, NotADirectoryError):
        return
    way: list[_Step] = []
    left: list[list[str]] = []
    pending = 0  # names in `left`
    try:
        mount = _mount_of(directory)
        while True:
            names = look(directory)
            if names is None:
                return
            left.append(list(names))
            pending += len(names)
            while True:
                if not pending:
                    return
                if not left[-1]:
                    left.pop()
                    directory = _leave(directory, way[-1])
                    way.pop()
                    continue
                pending -= 1
                step = _Step(left[-1].pop(), _identity(directory))
                try:
                    directory = _enter(directory, step.name, mount)
                except (FileNotFoundError, NotADirectoryError, TreeFailure):
                    continue
                way.append(step)
                break
    except OSError as error:
        raise _located(error, path, way) from error
    finally:
        os.close(directory)


def _empty(directory: int) -> str | None:
    """Remove everything in the directory; stops at a subdirectory that is not empty and names it."""
    while True:
        with os.scandir(directory) as entries:
            batch = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in islice(entries, _BATCH)]
        if not batch:
            return None
        for name, is_directory in batch:
            if is_directory:
                if not _remove_directory(name, directory, tolerant=True):
                    return name
                continue
            try:
                os.unlink(name, dir_fd=directory)
            except FileNotFoundError:
                continue


def _subdirectories(directory: int) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []  # it was removed while it was open


def _remove_directory(name: str, parent: int | None = None, *, tolerant: bool = False) -> bool:
    """Remove an empty directory; whether it is gone. Unless `tolerant`, raises OSError if it is not."""
    try:
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        return True
    except OSError as error:
        if tolerant and error.errno in _OCCUPIED:
            return False
        raise
    return True


def _enter(parent: int, name: str, mount: int) -> int:
    """The subdirectory's descriptor; the parent's is closed. Raises OSError, and keeps the parent's."""
    directory = os.open(name, _OPEN, dir_fd=parent)
    try:
        if _mount_of(directory) != mount:
            raise TreeFailure(errno.EBUSY, "a file system is mounted there, nothing of it is deleted", name)
    except BaseException:
        os.close(directory)
        raise
    os.close(parent)
    return directory


def _leave(directory: int, step: _Step) -> int:
    """The parent's descriptor; the directory's is closed. Raises OSError, and keeps the directory's."""
    parent = os.open("..", _OPEN, dir_fd=directory)
    if _identity(parent) != step.parent:
        os.close(parent)
        raise TreeFailure(errno.EBUSY, "it was moved while it was worked on", step.name)
    os.close(directory)
    return parent


def _identity(directory: int) -> _Identity:
    state = os.fstat(directory)
    return state.st_dev, state.st_ino


def _mount_of(directory: int) -> int:
    """Which mount it is seen through (`mnt_id` of proc(5)'s fdinfo); which device where there is no /proc."""
    try:
        told = Path(f"/proc/self/fdinfo/{directory}").read_text()
    except FileNotFoundError:
        return os.fstat(directory).st_dev
    for line in told.splitlines():
        key, _, value = line.partition(":")
        if key == "mnt_id":
            return int(value)
    raise TreeFailure(errno.ENOSYS, "the kernel does not tell where it is mounted", str(directory))


def _located(error: OSError, path: Path, way: Sequence[_Step]) -> OSError:
    """The error with as much of the place as can be shown."""
    names = [step.name for step in way[-2:]] + ([str(error.filename)] if error.filename else [])
    if len(way) > 2:
        names.insert(0, "...")
    return type(error)(error.errno, error.strerror, "/".join([str(path), *names]))
