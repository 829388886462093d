"""A kind of volume that is staged for all pods of a node: a server on paper, with its mounts and logins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from wherry.kubelet.volumes.base import Identity, VolumeContext, VolumeHost
from wherry.kubelet.volumes.records import Record

PASSWORD = "of the server"


@dataclass
class NetworkVolume:
    """Volumes by `{"network": {"export": NAME}}`. `step(name)` is told of each effect before it happens."""

    source: str = "network"
    directory_name: str = "example.org~network"
    read_only: bool = False
    relabel: bool = False
    sessions: list[str] = field(default_factory=list)
    """The server's view: who is logged in. It outlives the agent."""
    step: Callable[[str], None] = lambda _: None

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        return set()

    def identity(self, context: VolumeContext) -> Identity:
        export = context.volume["network"]["export"]
        return Identity(f"network/{export}", {"export": export, "password": PASSWORD})

    async def stage(self, context: VolumeContext, staged: Record) -> None:
        await context.on_disk(partial(self._stage, staged, context.host))

    def _stage(self, staged: Record, host: VolumeHost) -> None:
        self.step("log in")
        if staged.data["export"] not in self.sessions:
            self.sessions.append(staged.data["export"])
        staged.directory.mkdir(exist_ok=True)
        self.step("mount globally")
        if staged.directory not in host.mounts.below(staged.directory):
            host.mounts.bind(Path("/server"), staged.directory)

    async def publish(self, context: VolumeContext, record: Record) -> Path:
        return await context.on_disk(partial(self._publish, context, record))

    def _publish(self, context: VolumeContext, record: Record) -> Path:
        record.directory.mkdir(parents=True, exist_ok=True)
        self.step("mount for the pod")
        if record.directory not in context.host.mounts.below(record.directory):
            context.host.mounts.bind(Path("/server"), record.directory)
        return record.directory

    async def unpublish(self, record: Record, host: VolumeHost) -> None:
        self.step("unmount for the pod")
        host.mounts.unmount(record.directory)

    async def unstage(self, staged: Record, host: VolumeHost) -> None:
        assert staged.data["password"] == PASSWORD, "there is nobody else to ask"
        self.step("unmount globally")
        host.mounts.unmount(staged.directory)
        self.step("log out")
        if staged.data["export"] in self.sessions:
            self.sessions.remove(staged.data["export"])
