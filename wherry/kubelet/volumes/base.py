"""The protocol of a volume plugin, and what one is given.

A plugin makes the files of one volume of one pod appear below a directory that is the volume's own (or
says which other path of the host to use). Setting up is idempotent: it runs again when a referenced
object changed and after a restart of the agent. Taking down is the same for all and is done by
`pod_volumes`: unmount, delete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.objects.meta import Object, uid_of

SET_UP_TIMEOUT_S = 120.0
"""How long a volume may take (upstream's `podAttachAndMountTimeout`, about)."""


class MountFailure(Exception):
    """The volume cannot be set up; the message goes into the FailedMount event."""


class Mounts(Protocol):
    """The mount table of the machine. Every method raises OSError when the kernel refuses."""

    def tmpfs(self, target: Path, size_bytes: int = 0) -> bool:
        """Have a memory file system there, of at most `size_bytes` if not 0; whether it is a new one."""
        ...

    def bind(self, source: Path, target: Path) -> None:
        """Show `source` at `target` too."""
        ...

    def unmount(self, target: Path) -> None:
        """Take a mount away, lazily if it is in use; harmless when there is none."""
        ...

    def below(self, directory: Path) -> list[Path]:
        """Every mount point at or below `directory`, the deepest first."""
        ...


class TokenSource(Protocol):
    """Gives service account tokens bound to a pod. Raises MountFailure."""

    async def token(self, pod: Object, audience: str, lifetime_s: int) -> str: ...


@dataclass(frozen=True, slots=True)
class MountedVolume:
    """A volume that is there: its path on the host, and whether it may only be read."""

    path: Path
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeContext:
    """One volume of one pod, and what a plugin may use.

    `directory` is the volume's own (not yet made). `lookup` gives a referenced object by (kind, name)
    in the pod's namespace. `fs_group` is the group files are to belong to, `run_as_user` the one user
    all containers run as, if there is one.
    """

    pod: Object
    volume: Mapping[str, Any]
    directory: Path
    lookup: Callable[[str, str], Object | None]
    tokens: TokenSource
    mounts: Mounts
    clock: Clock
    disk: Disk
    allocatable: Mapping[str, str] = field(default_factory=dict)
    fs_group: int | None = None
    run_as_user: int | None = None

    async def on_disk(self, work: Callable[[], Path]) -> Path:
        """Make the volume's files by `work`, beside the event loop. Raises MountFailure."""
        try:
            return await self.disk.run(uid_of(self.pod), work, SET_UP_TIMEOUT_S)
        except TimeoutError as error:
            raise MountFailure(f"the file system does not answer: {error}") from error

    @property
    def name(self) -> str:
        """The volume's name in the pod."""
        name: str = self.volume["name"]
        return name

    @property
    def ready_file(self) -> Path:
        """Beside the volume, for a plugin to note that it is complete (upstream's volumeutil.SetReady)."""
        plugin = self.directory.parent
        return plugin.parent.parent / "plugins" / plugin.name / self.directory.name / "ready"


class VolumePlugin(Protocol):
    """One source of volumes."""

    @property
    def source(self) -> str:
        """The field of a volume that selects the plugin, such as `configMap`."""
        ...

    @property
    def directory_name(self) -> str:
        """Upstream's name of the directory its volumes are kept in, such as `kubernetes.io~configmap`."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether containers may only read it, whatever their mounts say."""
        ...

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        """The (kind, name) of the ConfigMaps and Secrets the volume shows; pure."""
        ...

    async def set_up(self, context: VolumeContext) -> Path:
        """Make the volume be there; the host's path of it. Raises MountFailure."""
        ...
