"""The table of mounts of this process, read and changed by system calls: no program is started for it.

proc_pid_mountinfo(5), mount(2), umount2(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path

MOUNT_INFO = Path("/proc/self/mountinfo")
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC = 0x1, 0x2, 0x4, 0x20, 0x1000, 0x4000
MNT_DETACH, UMOUNT_NOFOLLOW = 0x2, 0x8
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_POINT = 4
"""The field of a line of mountinfo that is the mount point."""


def mounts_below(
    directories: Iterable[Path], mount_info: Path = MOUNT_INFO, *, themselves: bool = False
) -> list[Path]:
    """Mount points below `directories`, the newest first: the order in which to unmount.

    With `themselves` the directories count as well.
    """
    roots = [os.path.realpath(directory).rstrip("/") for directory in directories]  # it knows no links
    found = []
    for line in mount_info.read_bytes().splitlines():
        point = os.fsdecode(_ESCAPE.sub(lambda m: bytes([int(m[1], 8)]), line.split(b" ")[_POINT]))
        if any(point.startswith(f"{root}/") or (themselves and point == root) for root in roots):
            found.append(Path(point))
    return found[::-1]


def mount(source: str, target: Path, kind: str, flags: int = 0, options: str = "") -> None:
    """Mount `source`, of the file system `kind` ("" for a bind), at `target`. Raises OSError."""
    result = _libc().mount(
        os.fsencode(source), os.fsencode(target), kind.encode() or None, flags, options.encode() or None
    )
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"mount: {os.strerror(code)}", str(target))


def detach(target: Path) -> None:
    """Unmount, lazily if it is in use; nothing happens when nothing is mounted there. Raises OSError."""
    _unmount(target, MNT_DETACH | UMOUNT_NOFOLLOW, (errno.EINVAL, errno.ENOENT))


def unmount(target: Path) -> None:
    """Unmount what nobody uses. Raises OSError."""
    _unmount(target, 0, ())


def detach_all(points: Iterable[Path]) -> None:
    """Detach every mount point, in the order given. Raises OSError."""
    for point in points:
        detach(point)


def _unmount(target: Path, flags: int, harmless: tuple[int, ...]) -> None:
    if _libc().umount2(os.fsencode(target), flags) != 0:
        code = ctypes.get_errno()
        if code not in harmless:
            raise OSError(code, f"cannot unmount: {os.strerror(code)}", str(target))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
