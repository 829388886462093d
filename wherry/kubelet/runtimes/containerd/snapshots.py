"""Images as file systems, out of containerd's snapshot service: what CRI gives only from containerd 2.1 on.

A view of an image is a snapshot that cannot be written to. It is marked as a root of containerd's garbage
collection, so its layers stay though the image is removed, until the view is.
(containerd's api/services/snapshots/v1, docs/garbage-collection.md)
"""

from __future__ import annotations

from typing import Any

import grpc

from wherry.kubelet.runtimes.containerd.deadlines import REQUEST_S
from wherry.kubelet.runtimes.containerd.wire import text_field, texts_of, wire_fields
from wherry.kubelet.runtimes.images import ImageView

_SERVICE = "/containerd.services.snapshots.v1.Snapshots/"
_NAMESPACE = (("containerd-namespace", "k8s.io"),)
_ROOT = "containerd.io/gc.root"


class Snapshots:
    """The snapshots of the images CRI knows of, made by the snapshotter of that name."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def view(self, snapshotter: str, key: str, chain_id: str, now: str) -> ImageView:
        """How to mount the image whose layers come to `chain_id`; the view is made if it is not there.

        Raises grpc.RpcError.
        """
        label = text_field(1, _ROOT) + text_field(2, now)
        named = text_field(1, snapshotter) + text_field(2, key)
        try:
            answer = await self._call("View", named + text_field(3, chain_id) + text_field(4, label))
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise
            answer = await self._call("Mounts", named)
        return parse_mounts(answer)

    async def remove(self, snapshotter: str, key: str) -> None:
        """Let go of a view; harmless when there is none. Raises grpc.RpcError."""
        try:
            await self._call("Remove", text_field(1, snapshotter) + text_field(2, key))
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise

    async def _call(self, method: str, request: bytes) -> bytes:
        ask: Any = self._channel.unary_unary(
            _SERVICE + method, request_serializer=None, response_deserializer=None
        )
        answer: bytes = await ask(request, timeout=REQUEST_S, metadata=_NAMESPACE)
        return answer


def parse_mounts(answer: bytes) -> ImageView:
    """The first of the Mounts{type 1, source 2, target 3, options 4} in field 1. Raises MalformedMessage."""
    mount = texts_of(answer)[1]
    found = texts_of(mount)
    options = tuple(
        value.decode() for number, value in wire_fields(mount) if number == 4 and isinstance(value, bytes)
    )
    return ImageView(found.get(1, b"").decode(), found.get(2, b"").decode(), options)
