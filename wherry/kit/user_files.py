"""Files whose names users give: replaced whole, but never what is no file.

`KUBECONFIG=/dev/null` is a way to say "nowhere": a rename would put a regular file in the device's place, for
everybody on the machine.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from wherry.kit.named_files import named

MOST_LINKS = 40
"""As many as the kernel follows."""


def replace_file(path: Path, write: Callable[[BinaryIO], None], mode: int = 0o600) -> None:
    """Put what `write` writes in the place of `path`, whole or not at all; devices and pipes are written to.

    A file that is there keeps its mode, a new one has `mode`, and one of another user's at most that; a link
    stays, and where it leads is replaced, but for one that somebody else may have put there for us to follow.
    Raises OSError that names `path`.
    """
    try:
        check_links(path)
        place = path.resolve()
        if place.exists() and not place.is_file():
            if place.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            with place.open("wb", buffering=0) as device:
                write(device)
            return
        if place.exists():
            found = place.stat()
            mode = found.st_mode & (0o777 if found.st_uid == os.geteuid() else mode)
        descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
            Path(temporary).chmod(mode)
            Path(temporary).replace(place)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def keep_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """`replace_file`, unless the file has that content already: where the disk is full it is left alone.

    Raises OSError that names `path`.
    """
    with named(path):
        if path.is_file() and path.read_bytes() == content:
            return
    replace_file(path, lambda file: _put(file, content), mode)


def _put(file: BinaryIO, content: bytes) -> None:
    file.write(content)


def check_links(path: Path) -> None:
    """Raise PermissionError when a link on the way was put by another user where everybody may put one.

    The kernel's rule for those who open files (`fs.protected_symlinks`), which a rename would pass by.
    """
    own = os.geteuid()
    left = [*reversed(path.absolute().parents), path.absolute()]
    for _ in range(MOST_LINKS):
        link = next((step for step in left if step.is_symlink()), None)
        if link is None:
            return
        around, owner = link.parent.stat(), link.lstat().st_uid
        is_shared = around.st_mode & (stat.S_ISVTX | stat.S_IWOTH) == stat.S_ISVTX | stat.S_IWOTH
        if is_shared and owner not in (own, around.st_uid):
            raise PermissionError(errno.EACCES, "a link of another user's, where everybody may put one")
        rest = path.absolute().relative_to(link) if path.absolute().is_relative_to(link) else Path()
        path = link.parent / link.readlink() / rest
        left = [*reversed(path.absolute().parents), path.absolute()]
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
