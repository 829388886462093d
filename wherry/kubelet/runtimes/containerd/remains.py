"""What killed processes leave on the machine, and its removal: mounts, shim sockets, directories.

Only things below the directories given, or made for the socket given, are touched.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from wherry.kit.trees import remove_tree

MOUNT_INFO = Path("/proc/self/mountinfo")
SHIM_SOCKETS = Path("/run/containerd/s")
"""Where shims listen; built into containerd 1.x."""
_MNT_DETACH = 2


def mounts_below(directories: Iterable[Path], mount_info: Path = MOUNT_INFO) -> list[Path]:
    """Mount points below `directories`, the newest first: the order in which to unmount."""
    # The table of mounts knows no symbolic links.
    roots = [os.path.realpath(directory).rstrip("/") + "/" for directory in directories]
    points = [_unescape(line.split()[4]) for line in mount_info.read_text().splitlines()]
    return [Path(point) for point in reversed(points) if any(point.startswith(root) for root in roots)]


def unmount(points: Iterable[Path]) -> None:
    """Detach every mount point. Raises OSError for one that cannot be."""
    libc = ctypes.CDLL(None, use_errno=True)
    for point in points:
        if libc.umount2(os.fsencode(point), _MNT_DETACH) != 0:
            number = ctypes.get_errno()
            # Gone with the mount it lay on.
            if number not in (2, 22):
                raise OSError(number, f"cannot unmount {point}: {os.strerror(number)}")


def shim_sockets(state: Path) -> list[Path]:
    """The sockets of shims, as the bundles below containerd's state directory name them."""
    addresses = state.glob("io.containerd.runtime.v2.task/*/*/address")
    found = (Path(file.read_text().strip().removeprefix("unix://")) for file in addresses)
    return [socket for socket in found if socket.is_relative_to(SHIM_SOCKETS)]


def remove_trees(directories: Iterable[Path]) -> None:
    """Remove directories with everything in them; missing ones are fine. Raises OSError."""
    for directory in directories:
        remove_tree(directory)


def _unescape(field: str) -> str:
    """A path of mountinfo, in which blanks and the like are octal escapes."""
    raw = field.encode()
    out = bytearray()
    position = 0
    while position < len(raw):
        if raw[position] == 0x5C:
            out.append(int(raw[position + 1 : position + 4], 8))
            position += 4
        else:
            out.append(raw[position])
            position += 1
    return os.fsdecode(bytes(out))
