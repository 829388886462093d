"""Putting a payload in place, for every plugin whose volume is made of rendered files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from wherry.kubelet.volumes.atomic_writer import write_atomically
from wherry.kubelet.volumes.base import MountFailure, VolumeContext
from wherry.kubelet.volumes.payload import Payload


async def put_in_place(context: VolumeContext, payload: Payload, *, in_memory: bool) -> Path:
    """Write the payload below the volume's directory; `in_memory` keeps it off the disk.

    Raises MountFailure.
    """
    return await context.on_disk(partial(_put, context, payload, in_memory))


def _put(context: VolumeContext, payload: Payload, in_memory: bool) -> Path:
    directory = context.directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if in_memory:
            context.mounts.tmpfs(directory)
        directory.chmod(0o777)
        write_atomically(directory, payload, context.clock.now(), context.fs_group)
    except OSError as error:
        raise MountFailure(f"{error.strerror or error}: {error.filename or directory}") from error
    return directory
