"""Pulling images: each once at a time, a few at once, not more often than registries may be asked.

Source: pkg/kubelet/images (parallel_image_puller.go, throttled_puller.go), pkg/kubelet/kuberuntime
(PullImage), k8s.io/cri-api/pkg/errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from wherry.kit.clock import Clock
from wherry.kit.tasks import shared
from wherry.kubelet.credentials import Credential
from wherry.kubelet.runtimes.failures import NoSuchThing, RuntimeFailure
from wherry.kubelet.runtimes.images import Image, ImageService

UNBOUNDED = 1 << 20
"""More images than are ever got at once."""
REASONS = {
    "RegistryUnavailable": "the registry is unavailable",
    "SignatureValidationFailed": "the signature validation failed",
}
"""What runtimes begin their texts with, and why no image came."""

_Key: TypeAlias = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image that was pulled, with which credentials (None for none), and how long that took."""

    image: Image
    used: Credential | None
    took_s: float


class PullRate:
    """How often registries may be asked: so many times a second, and so many at once (a token bucket)."""

    def __init__(self, clock: Clock, per_second: float, burst: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._left = float(burst)
        self._at_s = clock.monotonic()

    def take(self) -> bool:
        """Whether one may be asked now."""
        if self._per_second <= 0:
            return True
        now = self._clock.monotonic()
        self._left = min(float(self._burst), self._left + (now - self._at_s) * self._per_second)
        self._at_s = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Pulls:
    """Pulls images of a runtime, `parallel` different ones at once (0 for any number)."""

    def __init__(self, runtime: ImageService, clock: Clock, rate: PullRate, parallel: int) -> None:
        self._runtime = runtime
        self._clock = clock
        self._rate = rate
        self._slots = asyncio.Semaphore(parallel or UNBOUNDED)
        self._running: dict[_Key, asyncio.Task[Pulled]] = {}

    async def pull(self, reference: str, credentials: Sequence[Credential]) -> Pulled:
        """Pull with one of the credentials after the other, without any if there are none.

        Who shows the same just now shares the pull, not who shows others: theirs may not do. Raises
        RuntimeFailure.
        """
        # The same password of another Secret is another one: what it may do is noted with its own.
        key = (reference, tuple(f"{one.source}{one.hash}" for one in credentials))
        task = self._running.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch(reference, credentials))
            self._running[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        return await shared(task, f"the pull of {reference}")

    async def close(self) -> None:
        """Give up what still runs."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _ended(self, key: _Key, task: asyncio.Task[Pulled]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever still waits is told; nobody waiting is no fault

    async def _fetch(self, reference: str, credentials: Sequence[Credential]) -> Pulled:
        async with self._slots:
            began = self._clock.monotonic()
            failures: list[RuntimeFailure] = []
            for one in credentials or (None,):
                try:
                    image = await self._fetch_with(reference, one)
                except RuntimeFailure as error:
                    failures.append(error)
                else:
                    return Pulled(image, one, self._clock.monotonic() - began)
            raise all_of(failures)

    async def _fetch_with(self, reference: str, credential: Credential | None) -> Image:
        if not self._rate.take():
            raise RuntimeFailure("pull QPS exceeded", "ErrImagePull")
        auth = None if credential is None else credential.auth
        image_id = await self._runtime.pull_image(reference, auth)
        image = await self._runtime.image(image_id) or await self._runtime.image(reference)
        if image is None:
            raise NoSuchThing(f'image "{reference}" vanished after it was pulled', "ErrImagePull")
        return image


def all_of(failures: Sequence[RuntimeFailure]) -> RuntimeFailure:
    """One failure for several: each text once (apimachinery's Aggregate)."""
    texts = list(dict.fromkeys(str(failure) for failure in failures))
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return RuntimeFailure(text, failures[0].reason)


def shown_pull_error(reference: str, error: RuntimeFailure) -> tuple[str, str]:
    """The reason and message a container waits with (evalCRIPullErr)."""
    text = str(error)
    for reason, why in REASONS.items():
        if text.startswith(reason):
            return reason, f"image pull failed for {reference} because {why}{text.removeprefix(reason)}"
    return error.reason or "ErrImagePull", text
