"""A pod's volumes: set up together, kept up to date, taken down without leaving anything behind.

Directories are upstream's: `<root>/pods/<uid>/volumes/<plugin>/<name>`. What is on disk, with the records
there, is all the state there is: volumes of pods that vanished while the agent was away are found and taken
down by looking (upstream's volume manager, its reconciler and reconstruct.go).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from wherry.client.events import Recorder
from wherry.kit.path_names import BadPathName
from wherry.kit.trees import remove_tree
from wherry.kubelet.images import ImageFailure
from wherry.kubelet.pod import all_containers, spec_of
from wherry.kubelet.volumes.base import (
    SET_UP_TIMEOUT_S,
    Fetched,
    Identity,
    MountedVolume,
    MountFailure,
    Mounts,
    Refreshed,
    Staged,
    Unpublished,
    VolumeContext,
    VolumeHost,
    VolumePlugin,
    disk_key,
)
from wherry.kubelet.volumes.catalog import PLUGINS, find_plugin
from wherry.kubelet.volumes.operations import Operations
from wherry.kubelet.volumes.records import Record, Records
from wherry.kubelet.volumes.staging import TEAR_DOWN_TIMEOUT_S, Staging
from wherry.objects.meta import Object, uid_of

log = logging.getLogger(__name__)

OPERATION_TIMEOUT_S = SET_UP_TIMEOUT_S + 30.0
"""An operation has several steps. Each has its own deadline, which says more."""

Lookup = Callable[[str, str], Object | None]


@dataclass(slots=True)
class _PodState:
    """What this process knows of a pod's volumes, by name: which were begun, and those that are there."""

    begun: dict[str, str] = field(default_factory=dict)
    published: dict[str, tuple[MountedVolume, Record]] = field(default_factory=dict)


@dataclass(slots=True)
class _Job:
    """One volume that is set up: its record, or why there is none."""

    plugin: VolumePlugin
    context: VolumeContext
    record: Record | None = None
    error: OSError | None = None


class PodVolumes:
    """Volumes of the pods below one root directory."""

    def __init__(
        self,
        root_dir: Path,
        host: VolumeHost,
        recorder: Recorder,
        plugins: Sequence[VolumePlugin] = PLUGINS,
    ) -> None:
        self._pods_dir = root_dir / "pods"
        self._records = Records(root_dir)
        self._host = host
        self._recorder = recorder
        self._plugins = {plugin.source: plugin for plugin in plugins}
        self._operations = Operations(host.clock)
        self._pods: dict[str, _PodState] = {}
        self._staging = Staging(self._records, host, self._plugins)

    @property
    def mounts(self) -> Mounts:
        """The mount table used."""
        return self._host.mounts

    def references(self, pod: Mapping[str, Any]) -> set[tuple[str, str]]:
        """The (kind, name) of every object the pod's volumes show."""
        found: set[tuple[str, str]] = set()
        for volume in _mounted(pod):
            try:
                plugin = self._find(volume)
            except MountFailure:
                continue  # told when it is set up
            found |= plugin.references(volume.get(plugin.source) or {})
        return found

    def takes_long(self, pod: Mapping[str, Any]) -> bool:
        """Whether something may have to be pulled for the pod's volumes."""
        return any(
            volume.get(plugin.source) is not None
            for volume in _mounted(pod)
            for plugin in self._plugins.values()
            if isinstance(plugin, Fetched)
        )

    async def set_up(
        self, pod: Object, lookup: Lookup, allocatable: Mapping[str, str]
    ) -> dict[str, MountedVolume]:
        """Make every volume the pod mounts be there and up to date; by volume name.

        Each failure becomes a FailedMount event; raises MountFailure if there was any.
        """
        volumes = _mounted(pod)
        state = self._pods.setdefault(uid_of(pod), _PodState())
        jobs = [self._job(pod, volume, lookup, allocatable, state) for volume in volumes]
        await self._begin(uid_of(pod), [job for job in jobs if isinstance(job, _Job)], state)
        results = await asyncio.gather(
            *(self._set_up_one(job, state) for job in jobs), return_exceptions=True
        )
        mounted: dict[str, MountedVolume] = {}
        failure: MountFailure | None = None
        for volume, result in zip(volumes, results, strict=True):
            if isinstance(result, (MountFailure, OSError)):
                message = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {_told(result)}'
                self._recorder.event(pod, "Warning", "FailedMount", message)
                failure = failure or MountFailure(message)
            elif isinstance(result, BaseException):
                raise result
            else:
                mounted[volume["name"]] = result
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # else it keeps itself alive, by this frame, and all there was of the volumes
        return mounted

    async def tear_down(self, pod_uid: str) -> None:
        """Take down and delete everything of a pod; harmless when there is nothing. Raises OSError.

        Nothing is asked of the API server, and nothing need be known of the pod but its records.
        """
        disk = self._host.disk
        directory = self._records.pod_directory(pod_uid)
        begun = dict(self._pods[pod_uid].begun) if pod_uid in self._pods else {}
        sub_paths = directory / "volume-subpaths"
        await disk.run(pod_uid, partial(self._unmount, sub_paths), TEAR_DOWN_TIMEOUT_S)
        records = await disk.run(pod_uid, partial(self._records.of_pod, pod_uid), TEAR_DOWN_TIMEOUT_S)
        for record in records:
            begun.pop(record.name, None)
        steps = [
            self._operations.run(record.volume, partial(self._unpublish, record), TEAR_DOWN_TIMEOUT_S)
            for record in records
        ]
        steps += [self._ended(volume) for volume in begun.values()]
        results = await asyncio.gather(*steps, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        await disk.run(pod_uid, partial(self._remove, directory), TEAR_DOWN_TIMEOUT_S)
        self._pods.pop(pod_uid, None)
        self._host.forget(pod_uid)

    async def reconcile(self) -> None:
        """Undo what is shared and no pod has any more: what an agent that was killed left. Raises OSError."""
        await self._staging.reconcile(self._operations)

    async def close(self) -> None:
        """The agent ends; volumes stay as they are."""
        await self._host.close()

    def uids(self) -> set[str]:
        """The pods that have something on disk."""
        try:
            return {entry.name for entry in self._pods_dir.iterdir()}
        except FileNotFoundError:
            return set()

    def _find(self, volume: Mapping[str, Any]) -> VolumePlugin:
        return find_plugin(volume, tuple(self._plugins.values()))

    def _job(
        self,
        pod: Object,
        volume: Mapping[str, Any],
        lookup: Lookup,
        allocatable: Mapping[str, str],
        state: _PodState,
    ) -> _Job | MountFailure:
        """What there is to do for a volume, or why nothing can be done."""
        try:
            plugin = self._find(volume)
            name, uid = volume["name"], uid_of(pod)
            security = spec_of(pod).get("securityContext") or {}
            context = VolumeContext(
                pod=pod,
                volume=volume,
                identity=Identity(f"{uid}/{plugin.directory_name}/{name}"),
                directory=self._records.volume_directory(uid, plugin.directory_name, name),
                lookup=lookup,
                host=self._host,
                allocatable=allocatable,
                fs_group=security.get("fsGroup"),
                run_as_user=_one_user(pod),
            )
            if isinstance(plugin, Staged):
                context = replace(context, identity=plugin.identity(context))
        except MountFailure as failure:
            return failure
        except BadPathName as error:
            return MountFailure(_told(error))
        state.begun[name] = context.identity.key
        return _Job(plugin, context)

    async def _begin(self, pod_uid: str, jobs: Sequence[_Job], state: _PodState) -> None:
        """Have the records of those volumes on disk that have none yet, all in one go."""
        fresh = [job for job in jobs if job.context.name not in state.published]
        if not fresh:
            return

        def begin() -> None:
            for job in fresh:
                try:
                    job.record = self._record(job)
                except OSError as error:
                    job.error = error

        try:
            await self._host.disk.run(pod_uid, begin, SET_UP_TIMEOUT_S)
        except TimeoutError as error:
            for job in fresh:
                job.record, job.error = None, OSError(f"the file system does not answer: {error}")

    def _record(self, job: _Job) -> Record:
        plugin, context = job.plugin, job.context
        return self._records.of_volume(
            *(uid_of(context.pod), plugin.directory_name, context.name),
            *(plugin.source, context.identity.key, context.identity.data),
            is_durable=isinstance(plugin, (Staged, Unpublished)),
        )

    async def _set_up_one(self, job: _Job | MountFailure, state: _PodState) -> MountedVolume:
        if isinstance(job, MountFailure):
            raise job
        if job.error is not None:
            raise job.error
        plugin, context = job.plugin, job.context
        if isinstance(plugin, Fetched) and context.name not in state.published:
            try:
                await plugin.fetch(context)
            except ImageFailure as failure:
                return MountedVolume(context.directory, plugin.read_only, failure=failure)
        work = partial(self._publish, job, state)
        return await self._operations.run(context.identity.key, work, OPERATION_TIMEOUT_S)

    async def _publish(self, job: _Job, state: _PodState) -> MountedVolume:
        """The volume, made or brought up to date; its record is there."""
        plugin, context = job.plugin, job.context
        there, record = state.published.get(context.name, (None, job.record))
        if record is None:
            raise MountFailure("its record is not written")
        if there is not None:
            if isinstance(plugin, Refreshed):
                await plugin.refresh(context, record)
            return there
        await self._staging.stage(plugin, context)
        path = await plugin.publish(context, record)
        there = MountedVolume(path, plugin.read_only, plugin.relabel)
        state.published[context.name] = there, record
        return there

    async def _unpublish(self, record: Record) -> None:
        """Undo of a volume what does not go with the pod's directory. Raises OSError."""
        await self._ended(record.volume)
        plugin = self._plugins.get(record.plugin)
        if plugin is None:
            return  # of a kind this agent does not know: it goes by its directory
        if isinstance(plugin, Unpublished):
            await plugin.unpublish(record, self._host)
        await self._staging.release(plugin, record)

    async def _ended(self, volume: str) -> None:
        """Wait until nothing of what was given up is under way any more. Raises TimeoutError."""
        await self._host.disk.run(disk_key(volume), lambda: None, TEAR_DOWN_TIMEOUT_S)

    def _unmount(self, directory: Path) -> None:
        for point in self.mounts.below(directory):
            self.mounts.unmount(point)

    def _remove(self, directory: Path) -> None:
        if not directory.exists():
            return
        self._unmount(directory)
        # A file system bound there would be emptied: the node's own, as hostPath and subPath bind it.
        if left := self.mounts.below(directory):
            raise OSError(f"{left[0]} is still mounted, nothing below {directory} is deleted")
        remove_tree(directory)


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


def _told(error: MountFailure | OSError) -> str:
    """What went wrong, without the number Python puts before the kernel's words."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)
