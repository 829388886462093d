"""The machine's mount table, by system calls: no process is started to mount a few kilobytes."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os
import re
from pathlib import Path

MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000
MNT_DETACH, UMOUNT_NOFOLLOW = 0x2, 0x8

_ESCAPE = re.compile(r"\\([0-7]{3})")


class SystemMounts:
    """Mounts in the mount namespace of this process."""

    def __init__(self, mountinfo: Path = Path("/proc/self/mountinfo")) -> None:
        self._mountinfo = mountinfo
        self._libc = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6", use_errno=True)

    def tmpfs(self, target: Path, size_bytes: int = 0) -> bool:
        """Mount a memory file system unless one is mounted there already; whether it was. Raises OSError."""
        if self._is_mounted(target):
            return False
        options = f"mode=0755,size={size_bytes}" if size_bytes else "mode=0755"
        self._mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, options)
        return True

    def bind(self, source: Path, target: Path) -> None:
        """Bind `source` (with what is mounted below it) to `target`. Raises OSError."""
        self._mount(str(source), target, "", MS_BIND | MS_REC, "")

    def unmount(self, target: Path) -> None:
        """Unmount, lazily; nothing happens when nothing is mounted there. Raises OSError."""
        if self._libc.umount2(os.fsencode(target), MNT_DETACH | UMOUNT_NOFOLLOW) != 0:
            code = ctypes.get_errno()
            if code not in (errno.EINVAL, errno.ENOENT):
                raise OSError(code, os.strerror(code), str(target))

    def below(self, directory: Path) -> list[Path]:
        """Mount points at or below `directory`, the last mounted first."""
        base = os.path.realpath(directory)  # the table knows no symbolic links
        found = []
        for line in self._mountinfo.read_text().splitlines():
            point = _ESCAPE.sub(lambda m: chr(int(m[1], 8)), line.split(" ")[4])
            if point == base or point.startswith(f"{base}/"):
                found.append(Path(point))
        return found[::-1]

    def _is_mounted(self, target: Path) -> bool:
        try:
            return target.stat().st_dev != target.parent.stat().st_dev
        except FileNotFoundError:
            return False

    def _mount(self, source: str, target: Path, kind: str, flags: int, options: str) -> None:
        result = self._libc.mount(
            os.fsencode(source), os.fsencode(target), kind.encode() or None, flags, options.encode() or None
        )
        if result != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"mount: {os.strerror(code)}", str(target))
