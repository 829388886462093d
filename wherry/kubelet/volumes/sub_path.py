"""subPath: showing one file or directory of a volume, and nothing outside it.

A container that can write to the volume could swap a directory for a symbolic link at any moment. So the
path is opened part by part without following links, and what was opened is bound to a place only the
agent can write to.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from wherry.kubelet.volumes.base import MountFailure, Mounts


def bind_sub_path(mounts: Mounts, volume: Path, sub_path: str, target: Path, *, is_made: bool = True) -> Path:
    """Bind `volume`/`sub_path` to `target`; returns it. Unless told otherwise a directory is made if nothing
    is there.

    Raises MountFailure when the path leads outside the volume.
    """
    if sub_path.startswith("/") or ".." in Path(sub_path).parts:
        raise MountFailure(f"failed to prepare subPath {sub_path!r}: must be relative and not contain '..'")
    try:
        base = Path(os.path.realpath(volume))
        real = Path(os.path.realpath(volume / sub_path))
        if real != base and base not in real.parents:
            raise MountFailure(f"subpath {str(real)!r} not within volume path {str(base)!r}")
        fd = _open_below(base, real.relative_to(base), is_made=is_made)
    except OSError as error:
        raise MountFailure(f"failed to prepare subPath {sub_path!r}: {error.strerror or error}") from error
    try:
        return _bind(mounts, fd, target)
    except OSError as error:
        raise MountFailure(f"failed to bind subPath {sub_path!r}: {error}") from error
    finally:
        os.close(fd)


def _open_below(base: Path, path: Path, *, is_made: bool) -> int:
    """A descriptor of `base`/`path`, no part of which is a symbolic link; missing parts are made."""
    fd = os.open(base, os.O_PATH | os.O_DIRECTORY)
    mode = stat.S_IMODE(os.fstat(fd).st_mode) & 0o777
    try:
        for part in path.parts:
            try:
                following = os.open(part, os.O_PATH | os.O_NOFOLLOW, dir_fd=fd)
            except FileNotFoundError:
                if not is_made:
                    raise
                os.mkdir(part, 0o750, dir_fd=fd)
                following = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=fd)
                Path(f"/proc/self/fd/{following}").chmod(mode)
            os.close(fd)
            fd = following
            if stat.S_ISLNK(os.fstat(fd).st_mode):
                raise MountFailure(f"unexpected symlink found in subPath {str(path)!r}")
    except BaseException:
        os.close(fd)
        raise
    return fd


def _bind(mounts: Mounts, fd: int, target: Path) -> Path:
    is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
    mounts.unmount(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if is_directory:
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    mounts.bind(Path(f"/proc/{os.getpid()}/fd/{fd}"), target)
    return target
