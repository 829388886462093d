"""image: the files of an image, to be read only (KEP-4639).

The image is pulled like that of a container. What is in it is mounted at the volume's directory out of the
runtime's own layers, so runtimes need not know of such volumes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from wherry.kubelet.images import ImageFailure
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.images import ImageView
from wherry.kubelet.volumes.base import MountFailure, VolumeContext, VolumeHost, disk_key
from wherry.kubelet.volumes.records import Record

UNMOUNT_TIMEOUT_S = 120.0


class ImageVolume:
    """An image's files."""

    source = "image"
    directory_name = "kubernetes.io~image"
    read_only = True
    relabel = False

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        return set()

    async def fetch(self, context: VolumeContext) -> None:
        """Have the image on the node, unless an earlier agent mounted it.

        Raises ImageFailure, MountFailure.
        """
        if await context.on_disk(partial(_is_mounted, context)):
            return
        source = context.volume["image"]
        await context.host.images.ensure(
            context.pod,
            {
                "name": "",
                "image": source.get("reference") or "",
                "imagePullPolicy": source.get("pullPolicy") or "",
            },
            context.lookup,
        )

    async def publish(self, context: VolumeContext, record: Record) -> Path:
        """Mount the image. Raises MountFailure."""
        reference = context.volume["image"].get("reference") or ""
        if await context.on_disk(partial(_is_mounted, context)):
            return record.directory  # the image itself may be gone by now
        try:
            view = await context.host.images.view(reference, _key(record))
        except (ImageFailure, RuntimeFailure) as error:
            raise MountFailure(f'failed to mount image "{reference}": {error}') from error
        return await context.on_disk(partial(_mount, context, record, view))

    async def unpublish(self, record: Record, host: VolumeHost) -> None:
        """Unmount it, then let its layers go. Raises OSError."""
        work = partial(host.mounts.unmount, record.directory)
        await host.disk.run(disk_key(record.volume), work, UNMOUNT_TIMEOUT_S)
        try:
            await host.images.release(_key(record))
        except RuntimeFailure as error:
            raise OSError(f"the image of volume {record.name} is not let go: {error}") from error


def _key(record: Record) -> str:
    """What the runtime knows the view by."""
    return f"wherry/volume/{record.pod_uid}/{record.name}"


def _is_mounted(context: VolumeContext) -> bool:
    return bool(context.host.mounts.below(context.directory))


def _mount(context: VolumeContext, record: Record, view: ImageView) -> Path:
    try:
        record.directory.mkdir(parents=True, exist_ok=True)
        context.host.mounts.image(record.directory, view)
    except OSError as error:
        raise MountFailure(f"{error.strerror or error}: {record.directory}") from error
    return record.directory
