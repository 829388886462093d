"""The machine's mount table, as volumes use it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wherry.kit.mounts import (
    MOUNT_INFO,
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    detach,
    mount,
    mounts_below,
)
from wherry.kubelet.runtimes.images import ImageView

LONGEST_OPTIONS = 4000
LAYERS = "lowerdir="


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

    def image(self, target: Path, view: ImageView) -> None:
        """Mount an image's layers, unless something is mounted there already. Raises OSError."""
        if self.below(target):
            return
        flags = MS_RDONLY | MS_NOSUID | MS_NODEV
        if view.kind == "bind":
            mount(view.source, target, "", MS_BIND | MS_REC)
            mount("none", target, "", MS_REMOUNT | MS_BIND | flags)
            return
        options = ",".join(option for option in view.options if option != "ro")
        with shortened(options) as short:
            mount(view.source, target, view.kind, flags, short)

    def bind(self, source: Path, target: Path) -> None:
        """Bind `source` (with what is mounted below it) to `target`. Raises OSError."""
        mount(str(source), target, "", MS_BIND | MS_REC)

    def unmount(self, target: Path) -> None:
        """Unmount, lazily; nothing happens when nothing is mounted there. Raises OSError."""
        detach(target)

    def below(self, directory: Path) -> list[Path]:
        """Mount points at or below `directory`, the last mounted first."""
        return mounts_below((directory,), self._mountinfo, themselves=True)


@contextmanager
def shortened(options: str) -> Iterator[str]:
    """Options the kernel takes: of many layers the directory they share is named by a descriptor.

    mount(2) takes a page of them; an image may have 127 layers (overlayfs), each a long path.
    """
    name, _, layers = next(
        (o.partition("=") for o in options.split(",") if o.startswith("lowerdir=")), ("",) * 3
    )
    if len(options) < LONGEST_OPTIONS or not name:
        yield options
        return
    shared = os.path.commonpath(layers.split(":"))
    opened = os.open(shared, os.O_PATH | os.O_DIRECTORY)
    try:
        yield options.replace(shared, f"/proc/{os.getpid()}/fd/{opened}")
    finally:
        os.close(opened)


def _is_mounted(target: Path) -> bool:
    try:
        return target.stat().st_dev != target.parent.stat().st_dev
    except FileNotFoundError:
        return False
