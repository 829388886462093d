"""Project quotas of a file system: how much a tree takes, counted by the kernel as it is written.

A directory is given a number (its project), which whatever is made below inherits; the kernel keeps sums of
each number, so nobody walks the tree. ext4 and xfs have them where they are mounted with `prjquota`:
ioctl_fs(2) FS_IOC_FSSETXATTR, quotactl_fd(2) (Linux 5.14). A process that is not in the machine's first user
namespace cannot change a number; others who own a file can.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from typing import NamedTuple

from wherry.kit.disk_usage import Usage

_ATTRIBUTES = struct.Struct("=5I8s")
"""struct fsxattr: flags, extent size, number of extents, project, copy-on-write extent size, padding."""
_GET, _SET = 0x801C581F, 0x401C5820
_INHERIT = 0x200
"""FS_XFLAG_PROJINHERIT."""
_QUOTACTL_FD = 443
"""The number is the same on every architecture."""
_GET_QUOTA = (0x800007 << 8) | 2
"""QCMD(Q_GETQUOTA, PRJQUOTA)."""
_FIGURES = struct.Struct("=8QI4x")
"""struct if_dqblk; its third number is space in bytes, its sixth inodes."""
_NOT_COUNTED = (
    *(errno.ESRCH, errno.ENOSYS, errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL),
    *(errno.ENOTBLK, errno.EPERM, errno.EACCES),
)
"""What says that nothing is counted here: no quotas, a kernel or file system without them, no right."""


class Project(NamedTuple):
    """The project of a directory; `inherited` tells that what is made in it belongs to it, too."""

    number: int
    inherited: bool


def project_of(directory: int) -> Project | None:
    """The project of an open directory, None where the file system has none. Raises OSError."""
    try:
        told = fcntl.ioctl(directory, _GET, bytes(_ATTRIBUTES.size))
    except OSError as error:
        if error.errno in _NOT_COUNTED:
            return None
        raise
    flags, _, _, number, _, _ = _ATTRIBUTES.unpack(told)
    return Project(number, bool(flags & _INHERIT))


def set_project(directory: int, number: int) -> None:
    """Have an open directory, and all that is made in it from now on, belong to a project. Raises OSError."""
    told = _ATTRIBUTES.unpack(fcntl.ioctl(directory, _GET, bytes(_ATTRIBUTES.size)))
    flags, extent, extents, _, copied, rest = told
    fcntl.ioctl(directory, _SET, _ATTRIBUTES.pack(flags | _INHERIT, extent, extents, number, copied, rest))


def project_usage(directory: int, number: int) -> Usage | None:
    """What a project takes on the file system of an open directory, None where that is not counted.

    Raises OSError.
    """
    figures = ctypes.create_string_buffer(_FIGURES.size)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_QUOTACTL_FD, directory, _GET_QUOTA, number, figures) != 0:
        code = ctypes.get_errno()
        if code == errno.ENOENT:  # xfs knows nothing yet of a number nobody has used
            return Usage()
        if code in _NOT_COUNTED:
            return None
        raise OSError(code, f"quotactl: {os.strerror(code)}")
    told = _FIGURES.unpack(figures.raw)
    return Usage(told[2], told[5])
