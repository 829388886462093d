"""Volumes made of rendered files: what every plug-in of such a kind has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path
from typing import ClassVar

from wherry.kubelet.volumes.atomic_writer import write_atomically
from wherry.kubelet.volumes.base import MountFailure, VolumeContext
from wherry.kubelet.volumes.payload import Payload
from wherry.kubelet.volumes.records import Record


class ContentVolume(ABC):
    """Files rendered from objects. They are rendered and put in place anew whenever one of them changed."""

    read_only: ClassVar[bool] = True
    relabel: ClassVar[bool] = True
    in_memory: ClassVar[bool] = True
    """Whether the files are kept off the disk."""

    @abstractmethod
    async def render(self, context: VolumeContext) -> Payload:
        """The files to show. Raises MountFailure."""

    async def publish(self, context: VolumeContext, record: Record) -> Path:
        """Write the files. Raises MountFailure."""
        payload = await self.render(context)
        return await context.on_disk(partial(_put, context, payload, in_memory=self.in_memory))

    async def refresh(self, context: VolumeContext, record: Record) -> None:
        """Write the files as they are to be now, all at once. Raises MountFailure."""
        await self.publish(context, record)


def _put(context: VolumeContext, payload: Payload, *, in_memory: bool) -> Path:
    directory = context.directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if in_memory:
            context.host.mounts.tmpfs(directory)
        directory.chmod(0o777)
        write_atomically(directory, payload, context.host.clock.now(), context.fs_group)
    except OSError as error:
        raise MountFailure(f"{error.strerror or error}: {error.filename or directory}") from error
    return directory
