"""What several pods of a node share of a volume: made ready before the first, undone after the last.

All of it happens in the volume's turn (`operations`). Who uses a volume is what the pods' records say; they
are read once, when the first such volume is asked about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from wherry.kit.trees import remove_tree
from wherry.kubelet.volumes.base import Staged, VolumeContext, VolumeHost, VolumePlugin, disk_key
from wherry.kubelet.volumes.operations import Operations
from wherry.kubelet.volumes.records import Record, Records, remove
from wherry.objects.meta import uid_of

T = TypeVar("T")

TEAR_DOWN_TIMEOUT_S = 600.0
"""A large tree takes its time; after it the removal goes on, and the next try waits for its end."""


class Staging:
    """The shared part of the volumes of one node."""

    def __init__(self, records: Records, host: VolumeHost, plugins: Mapping[str, VolumePlugin]) -> None:
        self._records = records
        self._host = host
        self._plugins = plugins
        self._users: dict[str, set[tuple[str, str]]] | None = None
        self._reading = asyncio.Lock()

    async def stage(self, plugin: VolumePlugin, context: VolumeContext) -> None:
        """Have the volume ready for the pod, whose record is written. Raises MountFailure, OSError."""
        if not isinstance(plugin, Staged):
            return
        identity = context.identity
        users = await self._used()
        users.setdefault(identity.key, set()).add((uid_of(context.pod), context.name))
        begin = partial(
            self._records.of_shared, plugin.directory_name, plugin.source, identity.key, identity.data
        )
        await plugin.stage(context, await context.on_disk(begin))

    async def release(self, plugin: VolumePlugin, record: Record) -> None:
        """A pod's volume is unpublished: undo the shared part if no other pod has it. Raises OSError.

        The pod's record goes last: whoever is killed before finds it and comes back.
        """
        if not isinstance(plugin, Staged):
            return
        users = (await self._used()).setdefault(record.volume, set())
        user = (record.pod_uid, record.name)
        if not users - {user}:
            await self._unstage(plugin, record.volume)
        await self._on_disk(record.volume, partial(forget, record, self._host))
        users.discard(user)
        if not users:
            (await self._used()).pop(record.volume, None)

    async def reconcile(self, operations: Operations) -> None:
        """Unstage what no pod has: what an agent that was killed left. Raises OSError for what resists."""
        resisting: OSError | None = None
        for plugin in self._plugins.values():
            if not isinstance(plugin, Staged):
                continue
            find = partial(_found, self._records, plugin.directory_name)
            for record in await self._host.disk.run("shared volumes", find, TEAR_DOWN_TIMEOUT_S):
                if (await self._used()).get(record.volume):
                    continue
                try:
                    work = partial(self._unstage_unused, plugin, record.volume)
                    await operations.run(record.volume, work, TEAR_DOWN_TIMEOUT_S)
                except OSError as error:
                    resisting = error
        if resisting is not None:
            raise resisting

    async def _unstage_unused(self, plugin: VolumePlugin, volume: str) -> None:
        if not (await self._used()).get(volume):  # else a pod came to want it
            await self._unstage(plugin, volume)

    async def _unstage(self, plugin: VolumePlugin, volume: str) -> None:
        if not isinstance(plugin, Staged):
            return
        find = partial(self._records.find_shared, plugin.directory_name, volume)
        staged = await self._on_disk(volume, find)
        if staged is not None:
            await plugin.unstage(staged, self._host)
            await self._on_disk(volume, partial(forget, staged, self._host))

    async def _used(self) -> dict[str, set[tuple[str, str]]]:
        """Which pods' volumes (by uid and name) use what is shared, by identity."""
        async with self._reading:
            if self._users is None:
                found: dict[str, set[tuple[str, str]]] = {}
                for record in await self._host.disk.run("shared volumes", self._of_pods, TEAR_DOWN_TIMEOUT_S):
                    if isinstance(self._plugins.get(record.plugin), Staged):
                        found.setdefault(record.volume, set()).add((record.pod_uid, record.name))
                self._users = found
            return self._users

    def _of_pods(self) -> list[Record]:
        return list(self._records.of_pods())

    async def _on_disk(self, volume: str, work: Callable[[], T]) -> T:
        return await self._host.disk.run(disk_key(volume), work, TEAR_DOWN_TIMEOUT_S)


def forget(record: Record, host: VolumeHost) -> None:
    """Delete what is left of a volume that is unmounted, then its record. Raises OSError."""
    if left := host.mounts.below(record.directory):
        raise OSError(f"{left[0]} is still mounted, nothing below {record.directory} is deleted")
    remove_tree(record.directory)
    remove(record)


def _found(records: Records, plugin_directory: str) -> list[Record]:
    return list(records.shared(plugin_directory))
