"""What plug-ins work with, on paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.kubelet.rig import FakeMounts
from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk
from wherry.kubelet.images import ImageFailure
from wherry.kubelet.runtimes.images import ImageView
from wherry.kubelet.volumes.base import Credentials, VolumeHost
from wherry.objects.meta import Object


class Tokens:
    """Tokens on paper."""

    async def token(self, pod: Object, audience: str, lifetime_s: int) -> str:
        return f"token for {audience or 'the API server'}, {lifetime_s} s"


class Given:
    """Trust anchors, certificates and images on paper."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []
        self.kept: list[str] = []

    async def anchors(self, pod: Object, source: Mapping[str, Any]) -> str:
        return f"anchors of {source.get('name') or source.get('signerName')}"

    async def credentials(
        self, pod: Object, volume: str, index: int, source: Mapping[str, Any]
    ) -> Credentials:
        return Credentials(f"key {index} of {volume}\n".encode(), b"chain\n")

    async def ensure(self, pod: Object, wanted: Object, lookup: Callable[[str, str], Object | None]) -> None:
        if wanted["image"] == "no":
            raise ImageFailure("ErrImagePull", "no such image", 10.0)

    async def view(self, reference: str, key: str) -> ImageView:
        self.kept.append(key)
        return ImageView("overlay", "overlay")

    async def release(self, key: str) -> None:
        self.kept.remove(key)

    def forget(self, pod_uid: str) -> None:
        self.forgotten.append(pod_uid)

    async def close(self) -> None:
        """There is nothing to close."""


def paper_host(mounts: FakeMounts) -> VolumeHost:
    """Everything on paper but the files."""
    given = Given()
    return VolumeHost(
        mounts=mounts,
        disk=DirectDisk(),
        clock=FakeClock(),
        tokens=Tokens(),
        trust=given,
        certificates=given,
        images=given,
    )
