"""The protocol between the kubelet and whatever runs containers.

It is CRI v1 reduced to what the kubelet decides on, in plain dataclasses, so that pod workers are
tested against a fake in milliseconds and a runtime's own messages stay in the runtime's folder. It has
four parts, and who needs one only asks for that one: sandboxes, containers, images, streams.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from wherry.kubelet.runtimes.containers import Containers
from wherry.kubelet.runtimes.images import ImageService
from wherry.kubelet.runtimes.sandboxes import Sandboxes
from wherry.kubelet.runtimes.streams import Streams


@dataclass(frozen=True, slots=True)
class HandlerFeatures:
    """Whether a handler makes mounts read-only with all below them, and gives pods users of their own."""

    recursive_read_only: bool = False
    user_namespaces: bool = False


@dataclass(frozen=True, slots=True)
class RuntimeStatus:
    """Whether containers can be run and pods be given a network; reasons when not."""

    ready: bool
    network_ready: bool
    message: str = ""
    name: str = ""
    version: str = ""
    handlers: Mapping[str, HandlerFeatures] = field(default_factory=dict)
    """Its handlers by name ("" is the default one)."""
    strict_groups: bool | None = None
    """Whether it can give processes no groups but those the pod says; None where it does not tell."""

    def is_recursive_read_only(self, runtime_class: str | None) -> bool:
        """Whether what is mounted for a pod of this class can be read-only with all mounted below it."""
        if runtime_class:  # what the class's handler is called is known to the API server alone
            return bool(self.handlers) and all(h.recursive_read_only for h in self.handlers.values())
        return "" in self.handlers and self.handlers[""].recursive_read_only


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """Something happened to a container (or sandbox): look at pod `pod_uid` again.

    `pod_uid` is "" when the runtime cannot tell; then everything must be looked at.
    """

    kind: str
    """`started`, `exited`, `deleted` or `lost` (events may have been missed)."""
    container_id: str = ""
    pod_uid: str = ""


class Runtime(Sandboxes, Containers, ImageService, Streams, Protocol):
    """What runs containers. Every method raises RuntimeFailure (NoSuchThing where it says so)."""

    async def status(self) -> RuntimeStatus: ...

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """What happens to containers, as it happens; ends when the runtime goes away."""
        ...

    async def close(self) -> None: ...
