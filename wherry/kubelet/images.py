"""Having a container's image on the node before it is started.

Pull policy, who may use an image that is there, back-off after failures, and the events users look for.
Several containers that need one image share one pull (`pulls`). Source: pkg/kubelet/images/image_manager.go.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from wherry.client.events import Recorder
from wherry.kit.backoff import BackOff
from wherry.kit.clock import Clock
from wherry.kit.tasks import shared
from wherry.kubelet.credentials import Credential, credentials_in_secrets
from wherry.kubelet.image_pulls.keeper import PullRecords
from wherry.kubelet.image_pulls.pulls import Pulled, Pulls, shown_pull_error
from wherry.kubelet.metrics import KubeletMetrics, size_class
from wherry.kubelet.pod import field_path
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.images import Image, ImageService
from wherry.objects.meta import Object

_REFERENCE = re.compile(
    r"(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
RECORD_RETRY_S = 10.0
Credentials = Callable[[], Awaitable[tuple[Credential, ...]]]
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


class NodeCredentials(Protocol):
    """Credentials a node has beside those of pods' secrets."""

    async def credentials(self, reference: str, pod: Object) -> list[Credential]:
        """What there is for an image, for a pod."""
        ...

    def forget(self, pod_uid: str) -> None: ...

    async def close(self) -> None: ...


class Images:
    """Has images on the node, remembering failures. `records` tell who may use what is there."""

    def __init__(
        self,
        runtime: ImageService,
        clock: Clock,
        recorder: Recorder,
        records: PullRecords,
        node: NodeCredentials,
        pulls: Pulls,
        metrics: KubeletMetrics,
    ) -> None:
        self._metrics = metrics
        self._under_way: set[asyncio.Task[Pulled]] = set()
        self._pulling: dict[str, tuple[float, float]] = {}
        self._runtime = runtime
        self._clock = clock
        self._recorder = recorder
        self._records = records
        self._node = node
        self._pulls = pulls
        self._back_off = BackOff(clock)
        self._failed: dict[str, tuple[datetime, str]] = {}

    async def ensure(self, pod: Object, container: Object, secrets: Sequence[Object] = ()) -> Image:
        """The image, pulled if need be with the pod's `secrets` or the node's own. Raises ImageFailure."""
        reference = container.get("image") or ""
        if not is_reference(reference):
            why = f'couldn\'t parse image name "{reference}": invalid reference format'
            message = f'Failed to apply default image tag "{reference}": {why}'
            self._say(pod, container, "Warning", "InspectFailed", message)
            raise ImageFailure("InvalidImageName", message, None)
        policy = pull_policy(container)
        credentials = _once(self._credentials, reference, pod, secrets)
        present = await self._inspect(pod, container, reference) if policy != "Always" else None
        if present is not None and not await self._records.must_pull(reference, present, credentials):
            message = (
                f'Container image "{reference}" already present on machine and can be accessed by the pod'
            )
            self._say(pod, container, "Normal", "Pulled", message)
            return present
        if policy == "Never":  # that an image is there is not told to a pod that may not use it
            message = f'Container image "{reference}" is not present with pull policy of Never'
            self._say(pod, container, "Warning", "ErrImageNeverPull", message)
            raise ImageFailure("ErrImageNeverPull", message, 60.0)
        return await self._pull(pod, container, reference, credentials)

    async def _credentials(
        self, reference: str, pod: Object, secrets: Sequence[Object]
    ) -> tuple[Credential, ...]:
        """All that may be shown for an image: the pod's own first."""
        return (
            *credentials_in_secrets(reference, secrets),
            *await self._node.credentials(reference, pod),
        )

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
        self._node.forget(pod_uid)
        self._pulling.pop(pod_uid, None)
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

    async def _pull(self, pod: Object, container: Object, reference: str, credentials: Credentials) -> Image:
        key = f"{pod['metadata']['uid']}/{reference}"
        failed = self._failed.get(key)
        if failed is not None:
            left_s = self._back_off.remaining_s(key, failed[0])
            if left_s > 0:
                message = f'Back-off pulling image "{reference}"'
                self._say(pod, container, "Normal", "BackOff", message)
                raise ImageFailure("ImagePullBackOff", f"{message}: {failed[1]}", left_s)
        shown = await credentials()
        try:
            await self._records.begin(reference)
        except OSError as error:
            why = f"failed to record image pull intent: {error}"
            message = f'Failed to record image pull intent for container image "{reference}": {why}'
            raise ImageFailure("ErrImagePull", message, RECORD_RETRY_S) from error
        self._say(pod, container, "Normal", "Pulling", f'Pulling image "{reference}"')
        began = self._clock.monotonic()
        noting = asyncio.get_running_loop().create_task(self._noted(reference, shown))
        self._under_way.add(noting)
        noting.add_done_callback(self._ended)
        try:
            pulled = await shared(noting, f"the pull of {reference}")
        except RuntimeFailure as error:
            raise self._pull_failed(pod, container, reference, key, error) from error
        self._count(pod, pulled, began)
        self._failed.pop(key, None)
        whole = _took(self._clock.monotonic() - began)
        self._say(
            pod,
            container,
            "Normal",
            "Pulled",
            f'Successfully pulled image "{reference}" in {_took(pulled.took_s)} ({whole} including waiting). '
            f"Image size: {pulled.image.size_bytes} bytes.",
        )
        return pulled.image

    async def _noted(self, reference: str, shown: Sequence[Credential]) -> Pulled:
        """Pull, and note by whom, also for a pod that goes meanwhile: its image is nobody else's.

        Where it is given up with the agent, the intent stays. Raises RuntimeFailure.
        """
        try:
            pulled = await self._pulls.pull(reference, shown)
        except RuntimeFailure:
            await self._records.failed(reference)
            raise
        await self._records.pulled(reference, pulled.image.id, pulled.used)
        return pulled

    def _ended(self, noting: asyncio.Task[Pulled]) -> None:
        self._under_way.discard(noting)
        if not noting.cancelled():
            noting.exception()  # whoever still waits is told; nobody waiting is no fault

    def _count(self, pod: Object, pulled: Pulled, began: float) -> None:
        """Count a pull that ended just now."""
        self._metrics.image_pull_duration.observe(pulled.took_s, size_class(pulled.image.size_bytes))
        uid = pod["metadata"]["uid"]
        first, _ = self._pulling.get(uid, (began, began))
        self._pulling[uid] = (min(first, began), self._clock.monotonic())

    def pulling_s(self, pod_uid: str) -> float:
        """How long images of a pod were pulled, from the first one's beginning to the last one's end."""
        first, last = self._pulling.get(pod_uid, (0.0, 0.0))
        return last - first

    def _pull_failed(
        self, pod: Object, container: Object, reference: str, key: str, error: RuntimeFailure
    ) -> ImageFailure:
        """Back off from an image, and tell why."""
        self._say(pod, container, "Warning", "Failed", f'Failed to pull image "{reference}": {error}')
        now = self._clock.now()
        self._back_off.advance(key, now)
        reason, message = shown_pull_error(reference, error)
        self._failed[key] = (now, f"{reason}: {message}")
        return ImageFailure(reason, message, self._back_off.delay_s(key))

    async def close(self) -> None:
        """Give up pulls that still run."""
        await self._node.close()
        noting = list(self._under_way)
        for task in noting:
            task.cancel()
        await self._pulls.close()
        await asyncio.gather(*noting, return_exceptions=True)

    def _say(self, pod: Object, container: Object, kind: str, reason: str, message: str) -> None:
        self._recorder.event(pod, kind, reason, message, field_path=field_path(pod, container["name"]))


def _took(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _once(
    work: Callable[[str, Object, Sequence[Object]], Awaitable[tuple[Credential, ...]]],
    reference: str,
    pod: Object,
    secrets: Sequence[Object],
) -> Credentials:
    """Look credentials up no earlier than needed, and once."""
    found: list[tuple[Credential, ...]] = []

    async def look() -> tuple[Credential, ...]:
        if not found:
            found.append(await work(reference, pod, secrets))
        return found[0]

    return look
