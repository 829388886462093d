"""emptyDir: a directory that lives as long as the pod, on disk, in memory or in huge pages."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from wherry.kubelet.cgroups import pod_resources
from wherry.kubelet.pod import all_containers, has_own_users
from wherry.kubelet.volumes.base import MountFailure, VolumeContext
from wherry.kubelet.volumes.ownership import give_to_group
from wherry.kubelet.volumes.records import Record
from wherry.objects.quantity import whole

log = logging.getLogger(__name__)

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
            size = memory_size(source, context.pod, context.allocatable)
            mounts = context.host.mounts
            fresh |= (
                mounts.huge_pages(directory, page_bytes, _limit(source))
                if page_bytes
                else mounts.tmpfs(directory, size)
            )
        if fresh:
            directory.chmod(0o777)
            if context.fs_group is not None:
                give_to_group(directory, context.fs_group)
            if not medium:
                _have_counted(context)
            record.completed()
    except OSError as error:
        raise MountFailure(f"{error.strerror or error}: {directory}") from error
    return directory


def _have_counted(context: VolumeContext) -> None:
    """Let the file system count what the volume holds, where it does that and the pod cannot change it.

    Whoever is root of the node gives files other projects, so the pod has to have users of its own; what is
    not counted is looked at (pkg/volume/emptydir, setupDir).
    """
    projects = context.host.projects
    if projects is None or not has_own_users(context.pod):
        return
    try:
        projects.assign(context.directory)
    except OSError as error:
        log.warning("what %s holds is not counted by the file system: %s", context.directory, error)


def _was_ready(context: VolumeContext) -> bool:
    """Whether an agent of an earlier version had made it, which noted that apart (volumeutil.SetReady)."""
    plugins = context.directory.parents[2] / "plugins"
    return (plugins / context.directory.parent.name / context.name / "ready").exists()


def memory_size(source: Mapping[str, Any], pod: Mapping[str, Any], allocatable: Mapping[str, str]) -> int:
    """How much memory the volume may hold, in bytes; 0 for as much as the kernel lets it.

    No more than the pod itself may use, or all pods of the node (calculateEmptyDirMemorySize; KEP-1967).
    """
    most = [
        whole(allocatable["memory"]) if "memory" in allocatable else 0,
        pod_resources(pod).memory_limit_bytes,
        _limit(source),
    ]
    return min((size for size in most if size > 0), default=0)


def _limit(source: Mapping[str, Any]) -> int:
    return whole(source["sizeLimit"]) if source.get("sizeLimit") else 0


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
