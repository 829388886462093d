"""The machine's mount table, as volumes use it."""

from __future__ import annotations

from pathlib import Path

from wherry.kit.mounts import MOUNT_INFO, MS_BIND, MS_NODEV, MS_NOSUID, MS_REC, detach, mount, mounts_below


class SystemMounts:
    """Mounts in the mount namespace of this process."""

    def __init__(self, mountinfo: Path = MOUNT_INFO) -> None:
        self._mountinfo = mountinfo

    def tmpfs(self, target: Path, size_bytes: int = 0) -> bool:
        """Mount a memory file system unless one is mounted there already; whether it was. Raises OSError."""
        if _is_mounted(target):
            return False
        options = f"mode=0755,size={size_bytes}" if size_bytes else "mode=0755"
        mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, options)
        return True

    def huge_pages(self, target: Path, page_bytes: int, size_bytes: int = 0) -> bool:
        """Mount huge pages unless something is mounted there already; whether it was. Raises OSError."""
        if _is_mounted(target):
            return False
        options = f"pagesize={page_bytes}" + (f",size={size_bytes}" if size_bytes else "")
        mount("nodev", target, "hugetlbfs", MS_NOSUID | MS_NODEV, options)
        return True

    def bind(self, source: Path, target: Path) -> None:
        """Bind `source` (with what is mounted below it) to `target`. Raises OSError."""
        mount(str(source), target, "", MS_BIND | MS_REC)

    def unmount(self, target: Path) -> None:
        """Unmount, lazily; nothing happens when nothing is mounted there. Raises OSError."""
        detach(target)

    def below(self, directory: Path) -> list[Path]:
        """Mount points at or below `directory`, the last mounted first."""
        return mounts_below((directory,), self._mountinfo, themselves=True)


def _is_mounted(target: Path) -> bool:
    try:
        return target.stat().st_dev != target.parent.stat().st_dev
    except FileNotFoundError:
        return False
