"""hostPath: a path of the node itself, checked (or made) as its type says."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from wherry.kubelet.volumes.base import MountFailure, VolumeContext
from wherry.kubelet.volumes.records import Record

_CHECKS: Mapping[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


class HostPath:
    """The node's own files."""

    source = "hostPath"
    directory_name = "kubernetes.io~host-path"
    read_only = False
    relabel = False

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        return set()

    async def publish(self, context: VolumeContext, record: Record) -> Path:
        """Check the path against its type. Raises MountFailure."""
        return await context.on_disk(partial(_check, context.volume["hostPath"]))


def _check(source: Mapping[str, Any]) -> Path:
    path = Path(source["path"])
    kind = source.get("type") or ""
    try:
        if kind == "DirectoryOrCreate" and not path.exists():
            path.mkdir(mode=0o755, parents=True)
        elif kind == "FileOrCreate" and not path.exists():
            path.touch(mode=0o644)
    except OSError as error:
        raise MountFailure(f"hostPath type check failed: {path}: {error.strerror}") from error
    wanted = kind.removesuffix("OrCreate")
    if wanted in _CHECKS:
        is_kind, name = _CHECKS[wanted]
        try:
            right = is_kind(path.stat().st_mode)
        except OSError:
            right = False
        if not right:
            raise MountFailure(f"hostPath type check failed: {path} is not {name}")
    elif not path.exists():
        _make_directory(path)
    return path


def _make_directory(path: Path) -> None:
    """A path of no particular type that is not there becomes a directory."""
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise MountFailure(f"{path}: {error.strerror}") from error
