"""Removing images nobody uses, when the disk they lie on fills up.

Upstream's `pkg/kubelet/images/image_gc_manager.go` with its thresholds: past 85 % of the disk the images
used longest ago go, until it is at 80 %. What is used, pinned or younger than two minutes stays. Choosing
is pure (`plan_image_removals`).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wherry.client.events import Recorder
from wherry.kit.clock import Clock
from wherry.kit.disk import Disk as DiskWork
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.image_pulls.keeper import PullRecords
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.runtimes.containers import Container
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.objects.meta import Object

log = logging.getLogger(__name__)

COLLECT_S = 300.0
LOOK_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """When an image was first seen and last found in use, by the monotonic clock."""

    first_s: float
    used_s: float = -1.0


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system's size and what is left of it, in bytes."""

    capacity: int
    available: int


def read_disk(directory: Path) -> Disk:
    """The file system `directory` is on. Raises OSError."""
    found = os.statvfs(directory)
    return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def images_in_use(images: Sequence[Image], containers: Sequence[Container]) -> set[str]:
    """The ids of the images some container, running or ended, was made from."""
    named = {name for c in containers for name in (c.image, c.image_id) if name}
    return {image.id for image in images if image.id in named or not named.isdisjoint(image.names)}


def bytes_to_free(disk: Disk, high_percent: float, low_percent: float) -> int:
    """How much has to go: nothing below the high mark, else what leads down to the low one."""
    if disk.capacity <= 0 or 100 - disk.available * 100 / disk.capacity < high_percent:
        return 0
    return max(int(disk.capacity * (100 - low_percent) / 100) - disk.available, 0)


def plan_image_removals(
    images: Sequence[Image],
    used: Collection[str],
    seen: Mapping[str, Sighting],
    now_s: float,
    least_age_s: float,
    to_free: int | None,
) -> list[Image]:
    """The images to remove, the one used longest ago first; all that can go if `to_free` is None."""
    idle = [
        image
        for image in images
        if image.id not in used and not image.pinned and now_s - seen[image.id].first_s >= least_age_s
    ]
    idle.sort(key=lambda image: (seen[image.id].used_s, seen[image.id].first_s))
    if to_free is None:
        return idle
    chosen: list[Image] = []
    freed = 0
    for image in idle:
        if freed >= to_free:
            break
        chosen.append(image)
        freed += image.size_bytes
    return chosen


class ImageGc:
    """Watches which images are used, and removes unused ones. `node` is what events are about."""

    def __init__(
        self,
        runtime: Runtime,
        config: KubeletConfig,
        clock: Clock,
        recorder: Recorder,
        node: Object,
        files: DiskWork,
        records: PullRecords,
        disk: Callable[[Path], Disk] = read_disk,
        metrics: KubeletMetrics | None = None,
    ) -> None:
        self._runtime = runtime
        self._config = config
        self._clock = clock
        self._recorder = recorder
        self._node = node
        self._files = files
        self._records = records
        self._disk = disk
        self._metrics = metrics or KubeletMetrics()
        self._seen: dict[str, Sighting] | None = None
        self._began_s = clock.monotonic()

    async def collect(self) -> float:
        """Look at the disk, remove images if it is too full; when to look again, in seconds.

        Raises RuntimeFailure, OSError.
        """
        began = self._clock.now()
        await self._collect()
        await self._records.prune({image.id for image in await self._runtime.images()}, began)
        return COLLECT_S

    async def _collect(self) -> None:
        used = await self._remove_old(await self._look())
        directory = await self._runtime.image_filesystem()
        if directory:
            config = self._config
            disk = await self._files.run(
                "disk of images", partial(self._disk, Path(directory)), LOOK_TIMEOUT_S
            )
            to_free = bytes_to_free(disk, config.image_gc_high_percent, config.image_gc_low_percent)
            if to_free:
                freed = await self._remove(used, to_free)
                if freed < to_free:
                    self._complain(to_free, freed)

    async def _remove_old(self, found: tuple[list[Image], set[str]]) -> tuple[list[Image], set[str]]:
        """Remove what nobody used for long (upstream's `freeOldImages`); what is left.

        An agent that has run for less does not know what was used before it.
        """
        greatest_s, now = self._config.image_greatest_age_s, self._clock.monotonic()
        if not greatest_s or now - self._began_s <= greatest_s:
            return found
        images, used = found
        seen = self._seen or {}
        idle = plan_image_removals(images, used, seen, now, self._config.image_least_age_s, None)
        old = [
            image for image in idle if now - max(seen[image.id].used_s, seen[image.id].first_s) > greatest_s
        ]
        gone = set()
        for image in old:
            if await self._remove_one(image):
                gone.add(image.id)
                self._metrics.images_collected.inc("age")
        return [image for image in images if image.id not in gone], used

    async def _remove_one(self, image: Image) -> bool:
        """Remove an image; whether it went. One that resists stays."""
        try:
            await self._runtime.remove_image(image.id)
        except RuntimeFailure as error:
            log.warning("image %s is not removed: %s", image.id, error)
            return False
        log.info("removed unused image %s (%s)", image.id, ", ".join(image.names))
        return True

    async def remove_unused(self) -> None:
        """Remove all images nobody uses. Raises RuntimeFailure."""
        await self._remove(await self._look(), None)

    async def _look(self) -> tuple[list[Image], set[str]]:
        """The images, and the ids of those in use; remembers when each was last used."""
        images, containers = await asyncio.gather(self._runtime.images(), self._runtime.containers())
        used = images_in_use(images, containers)
        now = self._clock.monotonic()
        # What was there before us was not pulled just now.
        first = -float("inf") if self._seen is None else now
        before = self._seen or {}
        self._seen = {}
        for image in images:
            known = before.get(image.id) or Sighting(first)
            self._seen[image.id] = Sighting(known.first_s, now if image.id in used else known.used_s)
        return images, used

    async def _remove(self, found: tuple[list[Image], set[str]], to_free: int | None) -> int:
        """Remove images; how many bytes went with them. One that resists stays."""
        images, used = found
        now, least_age_s = self._clock.monotonic(), self._config.image_least_age_s
        freed = 0
        for image in plan_image_removals(images, used, self._seen or {}, now, least_age_s, to_free):
            if await self._remove_one(image):
                freed += image.size_bytes
                self._metrics.images_collected.inc("space")
        return freed

    def _complain(self, wanted: int, freed: int) -> None:
        message = (
            "Failed to garbage collect required amount of images. "
            f"Attempted to free {wanted} bytes, but only found {freed} bytes eligible to free."
        )
        self._recorder.event(self._node, "Warning", "FreeDiskSpaceFailed", message)
