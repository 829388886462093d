"""A pod's volumes: set up together, kept up to date, taken down without leaving anything behind.

Directories are upstream's: `<root>/pods/<uid>/volumes/<plugin>/<name>`. What is on disk is all the state
there is, so volumes of pods that vanished while the agent was away are found and removed by looking.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from wherry.client.events import Recorder
from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kit.trees import remove_tree
from wherry.kubelet.pod import all_containers, spec_of
from wherry.kubelet.volumes.base import MountedVolume, MountFailure, Mounts, TokenSource, VolumeContext
from wherry.kubelet.volumes.catalog import find_plugin
from wherry.objects.meta import Object, uid_of

log = logging.getLogger(__name__)

TEAR_DOWN_TIMEOUT_S = 600.0
"""A large tree takes its time; after it the removal goes on, and the next try waits for its end."""

Lookup = Callable[[str, str], Object | None]


class PodVolumes:
    """Volumes of the pods below one root directory."""

    def __init__(
        self,
        root_dir: Path,
        mounts: Mounts,
        tokens: TokenSource,
        recorder: Recorder,
        clock: Clock,
        disk: Disk,
    ) -> None:
        self._pods = root_dir / "pods"
        self._mounts = mounts
        self._tokens = tokens
        self._recorder = recorder
        self._clock = clock
        self._disk = disk

    @property
    def mounts(self) -> Mounts:
        """The mount table used."""
        return self._mounts

    def references(self, pod: Mapping[str, Any]) -> set[tuple[str, str]]:
        """The (kind, name) of every object the pod's volumes show."""
        found: set[tuple[str, str]] = set()
        for volume in _mounted(pod):
            try:
                plugin = find_plugin(volume)
            except MountFailure:
                continue  # told when it is set up
            found |= plugin.references(volume.get(plugin.source) or {})
        return found

    async def set_up(
        self, pod: Object, lookup: Lookup, allocatable: Mapping[str, str]
    ) -> dict[str, MountedVolume]:
        """Make every volume the pod mounts be there and up to date; by volume name.

        Each failure becomes a FailedMount event; raises MountFailure if there was any.
        """
        volumes = _mounted(pod)
        results = await asyncio.gather(
            *(self._set_up_one(pod, volume, lookup, allocatable) for volume in volumes),
            return_exceptions=True,
        )
        mounted: dict[str, MountedVolume] = {}
        failure: MountFailure | None = None
        for volume, result in zip(volumes, results, strict=True):
            if isinstance(result, MountFailure):
                message = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {result}'
                self._recorder.event(pod, "Warning", "FailedMount", message)
                failure = failure or MountFailure(message)
            elif isinstance(result, BaseException):
                raise result
            else:
                mounted[volume["name"]] = result
        if failure is not None:
            raise failure
        return mounted

    async def tear_down(self, pod_uid: str) -> None:
        """Unmount and delete everything of a pod; harmless when there is nothing. Raises OSError."""
        await self._disk.run(pod_uid, partial(self._remove, self._pods / pod_uid), TEAR_DOWN_TIMEOUT_S)

    def _remove(self, directory: Path) -> None:
        if not directory.exists():
            return
        for point in self._mounts.below(directory):
            self._mounts.unmount(point)
        # A file system bound there would be emptied: the node's own, as hostPath and subPath bind it.
        if left := self._mounts.below(directory):
            raise OSError(f"{left[0]} is still mounted, nothing below {directory} is deleted")
        remove_tree(directory)

    def uids(self) -> set[str]:
        """The pods that have something on disk."""
        try:
            return {entry.name for entry in self._pods.iterdir()}
        except FileNotFoundError:
            return set()

    async def _set_up_one(
        self, pod: Object, volume: Mapping[str, Any], lookup: Lookup, allocatable: Mapping[str, str]
    ) -> MountedVolume:
        plugin = find_plugin(volume)
        directory = self._pods / uid_of(pod) / "volumes" / plugin.directory_name / volume["name"]
        security = spec_of(pod).get("securityContext") or {}
        path = await plugin.set_up(
            VolumeContext(
                pod=pod,
                volume=volume,
                directory=directory,
                lookup=lookup,
                tokens=self._tokens,
                mounts=self._mounts,
                clock=self._clock,
                disk=self._disk,
                allocatable=allocatable,
                fs_group=security.get("fsGroup"),
                run_as_user=_one_user(pod),
            )
        )
        return MountedVolume(path, plugin.read_only)


def _mounted(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The pod's volumes that some container mounts (or wants as a device: refused where it is set up)."""
    kinds = ("volumeMounts", "volumeDevices")
    names = {m["name"] for c in all_containers(pod) for kind in kinds for m in c.get(kind) or ()}
    return [v for v in spec_of(pod).get("volumes") or () if v["name"] in names]


def _one_user(pod: Mapping[str, Any]) -> int | None:
    """The user every container runs as, None when they differ or it is up to the image."""
    default = (spec_of(pod).get("securityContext") or {}).get("runAsUser")
    users = {(c.get("securityContext") or {}).get("runAsUser", default) for c in all_containers(pod)}
    return users.pop() if len(users) == 1 else None
