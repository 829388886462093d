"""Copying files into and out of a container's root without a program in it: no tar, no shell.

The root is what a process of the container sees (`cli/entering`), volumes included. Whatever links its
files make, the kernel resolves paths as the container would (`kubelet/volumes/beneath`): nothing outside is
read or written. Out of it come plain files and directories; links, pipes, sockets and devices are told of
and left as they are: not even opened (`kit/plain_files`).
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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


LONGEST_SHOWN = 400
REMEDIES = {
    errno.ENOSPC: "free some space there, or copy elsewhere",
    errno.EDQUOT: "free some space there, or copy elsewhere",
    errno.EROFS: "copy to a volume that can be written",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENOTDIR: "name a place whose parts are directories",
    errno.EISDIR: "name a file, or remove the directory",
}


def copy_in(source: Path, root: Path, target: str, owner: Owner, skipped: Callable[[str], None]) -> int:
    """Copy a file or directory to `target` in the container; how many files. Raises CopyFailure.

    As `cp` does it: into a directory that is there, else by that name.
    """
    if not source.exists():
        raise CopyFailure(f"{source}: no such file or directory")
    place = PurePosixPath(target)
    if _is_directory(root, target):
        place /= source.absolute().name
    with _opened(root, str(place.parent)) as parent, _told(str(source)):
        try:
            found = open_plain(source, directories=True)
        except NotPlain:
            skipped(str(source))
            return 0
        return _copy(found, str(source), parent, place.name, owner, skipped)


def copy_out(root: Path, source: str, target: Path, skipped: Callable[[str], None]) -> int:
    """Copy a file or directory of the container to `target`; how many files. Raises CopyFailure."""
    name = PurePosixPath(source).name
    place = Path(os.path.realpath(target / name if target.is_dir() and name else target))
    with _told(source):
        try:
            found = open_plain_in_root(root, source, directories=True)
        except NotPlain:
            skipped(source)
            return 0
    with ExitStack() as stack:
        stack.callback(os.close, found)
        with _told(str(place)):
            parent = os.open(place.parent, _DIRECTORY)
        stack.pop_all()
    try:
        return _copy(found, source, parent, place.name or ".", None, skipped)
    finally:
        os.close(parent)


@dataclass(slots=True)
class _Level:
    """A directory that is being copied: both of them, open, and what is left to do of it."""

    source: int
    target: int
    shown: str
    names: list[str]

    def close(self) -> None:
        os.close(self.source)
        os.close(self.target)


def _copy(
    found: int, shown: str, parent: int, name: str, owner: Owner | None, skipped: Callable[[str], None]
) -> int:
    """Copy the open file or directory, which is closed, to `name` in the open directory; how many files.

    By descriptors and without recursion: neither a path's length nor Python's stack bounds how deep it goes.
    """
    _raise_open_files()
    levels: list[_Level] = []
    count = 0
    try:
        while True:
            with _told(shown, closing=found):
                if stat.S_ISDIR(os.fstat(found).st_mode):
                    levels.append(_entered(found, shown, parent, name, owner))
                else:
                    _copy_file(found, parent, name, owner)
                    os.close(found)
                    count += 1
            upcoming = _next(levels, skipped)
            if upcoming is None:
                return count
            found, shown, name = upcoming
            parent = levels[-1].target
    finally:
        for level in levels:
            level.close()


def _next(levels: list[_Level], skipped: Callable[[str], None]) -> tuple[int, str, str] | None:
    """What comes next, open; what it is called in messages, and its name. None at the end."""
    while levels:
        level = levels[-1]
        if not level.names:
            level.close()
            levels.pop()
            continue
        name = level.names.pop()
        shown = f"{level.shown.rstrip('/')}/{name}"
        try:
            return open_plain(name, dir_fd=level.source, directories=True), shown, name
        except (NotPlain, FileNotFoundError):  # a link, a pipe, a device, a socket, or gone by now
            skipped(shown)
        except OSError as error:
            raise _failure(shown, error) from error
    return None


def _entered(found: int, shown: str, parent: int, name: str, owner: Owner | None) -> _Level:
    """The directory to copy to, made if it is not there. Raises OSError."""
    names = sorted(os.listdir(found), reverse=True)
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return _Level(found, os.open(name, _DIRECTORY, dir_fd=parent), shown, names)
    made = os.open(name, _DIRECTORY, dir_fd=parent)
    _own(found, made, owner)
    return _Level(found, made, shown, names)


def _copy_file(found: int, parent: int, name: str, owner: Owner | None) -> None:
    """Copy the open file. Raises OSError."""
    with (
        os.fdopen(os.dup(found), "rb") as reader,
        os.fdopen(_writable(parent, name), "wb") as writer,
    ):
        shutil.copyfileobj(reader, writer)
        writer.flush()
        _own(found, writer.fileno(), owner)


def _own(source: int, made: int, owner: Owner | None) -> None:
    if owner is not None:
        os.fchown(made, owner.uid, owner.gid)
    os.fchmod(made, stat.S_IMODE(os.fstat(source).st_mode) & 0o777)


def _writable(parent: int, name: str) -> int:
    """A descriptor of the empty file `name` in the open directory, whether or not it was there."""
    try:
        return open_plain(name, os.O_WRONLY | os.O_TRUNC, dir_fd=parent)
    except FileNotFoundError:
        return os.open(name, _NEW, 0o600, dir_fd=parent)


def _raise_open_files() -> None:
    """Two are open for each level of a tree: have as many as this process may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
        raise _failure(path, error, " in the container") from error
    try:
        yield found
    finally:
        os.close(found)


@contextmanager
def _told(what: str, closing: int | None = None) -> Iterator[None]:
    """Whatever the system refuses is told in one line; `closing` is closed then."""
    try:
        yield
    except OSError as error:
        if closing is not None:
            os.close(closing)
        raise _failure(what, error) from error


def _failure(what: str, error: OSError, where: str = "") -> CopyFailure:
    shown = (
        what
        if len(what) <= LONGEST_SHOWN
        else f"{what[: LONGEST_SHOWN // 2]}...{what[-LONGEST_SHOWN // 2 :]}"
    )
    remedy = REMEDIES.get(error.errno or 0, "")
    return CopyFailure(f"{shown}: {error.strerror or error}{where}{'; ' if remedy else ''}{remedy}")
