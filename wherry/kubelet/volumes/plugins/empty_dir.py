"""emptyDir: a directory that lives as long as the pod, on disk or in memory."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from wherry.kubelet.volumes.base import MountFailure, VolumeContext
from wherry.kubelet.volumes.ownership import give_to_group
from wherry.kubelet.volumes.records import Record
from wherry.objects.quantity import whole


class EmptyDir:
    """Scratch space."""

    source = "emptyDir"
    directory_name = "kubernetes.io~empty-dir"
    read_only = False

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        return set()

    async def publish(self, context: VolumeContext, record: Record) -> Path:
        """Make the directory, writable for everyone, once. Raises MountFailure.

        Whether that was done is in the record: that the directory exists tells nothing when the agent was
        killed in between, or the memory behind it went with a reboot.
        """
        return await context.on_disk(partial(_make, context, record))


def _make(context: VolumeContext, record: Record) -> Path:
    source = context.volume.get("emptyDir") or {}
    directory = context.directory
    medium = source.get("medium") or ""
    if medium not in ("", "Memory"):
        raise MountFailure(f'unknown storage medium "{medium}"')
    try:
        directory.mkdir(parents=True, exist_ok=True)
        fresh = not record.complete and not (record.folder / "ready").exists()  # of earlier versions
        if medium:
            limit = source.get("sizeLimit")
            fresh |= context.host.mounts.tmpfs(directory, whole(limit) if limit else 0)
        if fresh:
            directory.chmod(0o777)
            if context.fs_group is not None:
                give_to_group(directory, context.fs_group)
            record.completed()
    except OSError as error:
        raise MountFailure(f"{error.strerror or error}: {directory}") from error
    return directory
