"""What a node has of its machine's network, on paper."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.proxy.model import Model


class PaperBackend:
    """Rules of services on paper."""

    async def apply(self, model: Model, changed: Collection[str]) -> None:
        pass

    async def is_intact(self) -> bool:
        return True

    async def remove(self) -> None:
        pass


@dataclass
class PaperLand:
    """A network on paper: with it the runtime is networked."""

    runtime: FakeRuntime
    before: str = ""
    done: list[str] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def laid(self) -> str:
        return self.before

    async def lay(self, pod_cidr: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.before = pod_cidr
        self.done.append(f"lay {pod_cidr}")
        self.runtime.current_status = replace(self.runtime.current_status, network_ready=True, message="")

    async def until_seen(self) -> None:
        self.done.append("seen")

    async def close(self) -> None:
        self.done.append("closed")
