"""emptyDir: a directory that lives as long as the pod, on disk, in memory or in huge pages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from wherry.kubelet.pod import all_containers
from wherry.kubelet.volumes.base import MountFailure, VolumeContext
from wherry.kubelet.volumes.ownership import give_to_group
from wherry.kubelet.volumes.records import Record
from wherry.objects.quantity import whole

HUGE_PAGES = "HugePages"
RESOURCE = "hugepages-"


class EmptyDir:
    """Scratch space."""

    source = "emptyDir"
    directory_name = "kubernetes.io~empty-dir"
    read_only = False
    relabel = True

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
    page_bytes = page_size(medium, context.pod) if medium.startswith(HUGE_PAGES) else 0
    if not page_bytes and medium not in ("", "Memory"):
        raise MountFailure(f'unknown storage medium "{medium}"')
    try:
        directory.mkdir(parents=True, exist_ok=True)
        fresh = not record.complete and not _was_ready(context)
        if medium:
            size = whole(source["sizeLimit"]) if source.get("sizeLimit") else 0
            mounts = context.host.mounts
            fresh |= (
                mounts.huge_pages(directory, page_bytes, size)
                if page_bytes
                else mounts.tmpfs(directory, size)
            )
        if fresh:
            directory.chmod(0o777)
            if context.fs_group is not None:
                give_to_group(directory, context.fs_group)
            record.completed()
    except OSError as error:
        raise MountFailure(f"{error.strerror or error}: {directory}") from error
    return directory


def _was_ready(context: VolumeContext) -> bool:
    """Whether an agent of an earlier version had made it, which noted that apart (volumeutil.SetReady)."""
    plugins = context.directory.parents[2] / "plugins"
    return (plugins / context.directory.parent.name / context.name / "ready").exists()


def page_size(medium: str, pod: Mapping[str, Any]) -> int:
    """The size of the huge pages a volume is made of, in bytes (pkg/volume/emptydir, getPageMountOption).

    `HugePages` means the one size the pod asks for, `HugePages-2Mi` that size, which it has to ask for too.
    Raises MountFailure.
    """
    asked = {
        whole(name.removeprefix(RESOURCE))
        for container in all_containers(pod)
        for name in (container.get("resources") or {}).get("requests") or ()
        if name.startswith(RESOURCE)
    }
    if medium == HUGE_PAGES:
        if len(asked) > 1:
            raise MountFailure(
                f"medium: {medium} can't be used if container requests multiple huge page sizes"
            )
    else:
        asked &= {whole(medium.removeprefix(f"{HUGE_PAGES}-"))}
    if not asked:
        raise MountFailure(
            f"medium {medium}: hugePages storage requested, but there is no resource request for huge pages"
        )
    return asked.pop()
