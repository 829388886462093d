"""Having a container's image on the node before it is started.

Pull policy, back-off after failures, and the events users look for. Several containers that need one
image share one pull; a few different images are pulled at a time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime

from wherry.client.events import Recorder
from wherry.kit.backoff import BackOff
from wherry.kit.clock import Clock
from wherry.kit.tasks import shared
from wherry.kubelet.pod import field_path
from wherry.kubelet.runtimes.failures import NoSuchThing, RuntimeFailure
from wherry.kubelet.runtimes.images import Image, ImageService
from wherry.objects.meta import Object

_REFERENCE = re.compile(
    r"(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
UNBOUNDED = 1 << 20
"""More images than are ever got at once."""
_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")


class ImageFailure(Exception):
    """The image is not there; `reason` and message are for the container's waiting state.

    `retry_s` tells when to try again, None when only a change of the pod can help.
    """

    def __init__(self, reason: str, message: str, retry_s: float | None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_s = retry_s


def pull_policy(container: Mapping[str, object]) -> str:
    """`Always`, `IfNotPresent` or `Never`, worked out from the tag when not given."""
    policy = container.get("imagePullPolicy")
    if policy:
        return str(policy)
    name = str(container.get("image", ""))
    tag = name.rsplit("/", 1)[-1].partition(":")[2]
    return "IfNotPresent" if "@" in name or (tag and tag != "latest") else "Always"


def is_reference(text: str) -> bool:
    """Whether the text can name an image."""
    return bool(_IMAGE_ID.fullmatch(text) or _REFERENCE.fullmatch(text))


class Images:
    """Pulls images, each once at a time, remembering failures."""

    def __init__(self, runtime: ImageService, clock: Clock, recorder: Recorder, parallel: int = 3) -> None:
        self._runtime = runtime
        self._clock = clock
        self._recorder = recorder
        self._slots = asyncio.Semaphore(parallel or UNBOUNDED)
        self._pulls: dict[tuple[str, str], asyncio.Task[Image]] = {}
        self._back_off = BackOff(clock)
        self._failed: dict[str, tuple[datetime, str]] = {}

    async def ensure(self, pod: Object, container: Object, auth: Mapping[str, str] | None = None) -> Image:
        """The image, pulled if need be. Raises ImageFailure."""
        reference = container.get("image") or ""
        if not is_reference(reference):
            why = f'couldn\'t parse image name "{reference}": invalid reference format'
            message = f'Failed to apply default image tag "{reference}": {why}'
            self._say(pod, container, "Warning", "InspectFailed", message)
            raise ImageFailure("InvalidImageName", message, None)
        policy = pull_policy(container)
        present = await self._inspect(pod, container, reference)
        if policy == "Never" and present is None:
            message = f'Container image "{reference}" is not present with pull policy of Never'
            self._say(pod, container, "Warning", "ErrImageNeverPull", message)
            raise ImageFailure("ErrImageNeverPull", message, 60.0)
        if present is not None and policy != "Always":
            message = (
                f'Container image "{reference}" already present on machine and can be accessed by the pod'
            )
            self._say(pod, container, "Normal", "Pulled", message)
            return present
        return await self._pull(pod, container, reference, auth)

    async def is_present(self, container: Object) -> bool:
        """Whether the container could be started without pulling anything."""
        reference = container.get("image") or ""
        if not is_reference(reference) or pull_policy(container) == "Always":
            return False
        try:
            return await self._runtime.image(reference) is not None
        except RuntimeFailure:
            return False

    def forget(self, pod_uid: str) -> None:
        """The pod is gone: its failures no longer matter."""
        self._back_off.forget(f"{pod_uid}/")
        for key in [key for key in self._failed if key.startswith(f"{pod_uid}/")]:
            del self._failed[key]

    async def _inspect(self, pod: Object, container: Object, reference: str) -> Image | None:
        try:
            return await self._runtime.image(reference)
        except RuntimeFailure as error:
            message = f'Failed to inspect image "{reference}": {error}'
            self._say(pod, container, "Warning", "InspectFailed", message)
            raise ImageFailure("ImageInspectError", message, 10.0) from error

    async def _pull(
        self, pod: Object, container: Object, reference: str, auth: Mapping[str, str] | None
    ) -> Image:
        key = f"{pod['metadata']['uid']}/{reference}"
        failed = self._failed.get(key)
        if failed is not None:
            left_s = self._back_off.remaining_s(key, failed[0])
            if left_s > 0:
                message = f'Back-off pulling image "{reference}"'
                self._say(pod, container, "Normal", "BackOff", message)
                raise ImageFailure("ImagePullBackOff", f"{message}: {failed[1]}", left_s)
        self._say(pod, container, "Normal", "Pulling", f'Pulling image "{reference}"')
        began = self._clock.monotonic()
        try:
            image = await self._shared_pull(reference, auth)
        except RuntimeFailure as error:
            reason = error.reason or "ErrImagePull"
            self._say(pod, container, "Warning", "Failed", f'Failed to pull image "{reference}": {error}')
            now = self._clock.now()
            self._back_off.advance(key, now)
            self._failed[key] = (now, f"{reason}: {error}")
            raise ImageFailure(reason, str(error), self._back_off.delay_s(key)) from error
        self._failed.pop(key, None)
        took = f"{self._clock.monotonic() - began:.3f}".rstrip("0").rstrip(".") + "s"
        self._say(
            pod,
            container,
            "Normal",
            "Pulled",
            f'Successfully pulled image "{reference}" in {took} ({took} including waiting). '
            f"Image size: {image.size_bytes} bytes.",
        )
        return image

    async def _shared_pull(self, reference: str, auth: Mapping[str, str] | None) -> Image:
        key = (reference, repr(sorted((auth or {}).items())))
        task = self._pulls.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch(reference, auth))
            self._pulls[key] = task
            task.add_done_callback(lambda done: self._pulled(key, done))
        return await shared(task, f"the pull of {reference}")

    def _pulled(self, key: tuple[str, str], task: asyncio.Task[Image]) -> None:
        self._pulls.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever still waits is told; nobody waiting is no fault

    async def _fetch(self, reference: str, auth: Mapping[str, str] | None) -> Image:
        async with self._slots:
            image_id = await self._runtime.pull_image(reference, auth)
            image = await self._runtime.image(image_id) or await self._runtime.image(reference)
            if image is None:
                raise NoSuchThing(f'image "{reference}" vanished after it was pulled', "ErrImagePull")
            return image

    async def close(self) -> None:
        """Give up pulls that still run."""
        tasks = list(self._pulls.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _say(self, pod: Object, container: Object, kind: str, reason: str, message: str) -> None:
        self._recorder.event(pod, kind, reason, message, field_path=field_path(pod, container["name"]))
