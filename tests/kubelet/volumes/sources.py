"""What plug-ins work with, on paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.kubelet.rig import FakeMounts
from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk
from wherry.kubelet.volumes.base import Credentials, VolumeHost
from wherry.objects.meta import Object


class Tokens:
    """Tokens on paper."""

    async def token(self, pod: Object, audience: str, lifetime_s: int) -> str:
        return f"token for {audience or 'the API server'}, {lifetime_s} s"


class Given:
    """Trust anchors and certificates on paper."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    async def anchors(self, pod: Object, source: Mapping[str, Any]) -> str:
        return f"anchors of {source.get('name') or source.get('signerName')}"

    async def credentials(
        self, pod: Object, volume: str, index: int, source: Mapping[str, Any]
    ) -> Credentials:
        return Credentials(f"key {index} of {volume}\n".encode(), b"chain\n")

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
    )
