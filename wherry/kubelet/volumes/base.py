"""The protocol of a volume plug-in, and what one is given.

A plug-in makes one volume of one pod be there (`publish`), below a directory that is the volume's own, or it
says which other path of the host to use. Whatever else a kind needs it declares by having it: what has to be
pulled is `Fetched`; files that follow objects are `Refreshed`; what several pods of a node share is `Staged`
once before the first of them and unstaged after the last; what does not go by unmounting and deleting its
directory is `Unpublished`. Everything may be done again and comes to the same: after a restart of the agent,
and after a kill at any moment. Before anything is mounted a `Record` is on disk, and taking down goes by the
record alone: by then nobody may know the pod any more (upstream's pkg/volume; NodeStageVolume and so on of
CSI).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kubelet.images import ImageFailure
from wherry.kubelet.runtimes.images import ImageView
from wherry.kubelet.volumes.projects import Projects
from wherry.kubelet.volumes.records import Record
from wherry.objects.meta import Object

T = TypeVar("T")

SET_UP_TIMEOUT_S = 120.0
"""How long a volume may take (upstream's `podAttachAndMountTimeout`, about)."""


class MountFailure(Exception):
    """The volume cannot be set up; the message goes into the FailedMount event."""


class Mounts(Protocol):
    """The mount table of the machine. Every method raises OSError when the kernel refuses."""

    def tmpfs(self, target: Path, size_bytes: int = 0) -> bool:
        """Have a memory file system there, of at most `size_bytes` if not 0; whether it is a new one."""
        ...

    def huge_pages(self, target: Path, page_bytes: int, size_bytes: int = 0) -> bool:
        """Have a file system of huge pages of that size there, as `tmpfs` does."""
        ...

    def image(self, target: Path, view: ImageView) -> None:
        """Have an image's files there, to be read only."""
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


class TrustSource(Protocol):
    """Gives trust anchors of the cluster."""

    async def anchors(self, pod: Object, source: Mapping[str, Any]) -> str:
        """The PEM text a `clusterTrustBundle` source asks for. Raises MountFailure."""
        ...

    def forget(self, pod_uid: str) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """A private key, and the certificates for it from the pod's own to the signer's; both PEM."""

    key: bytes
    chain: bytes


class CertificateSource(Protocol):
    """Gives pods certificates of their own."""

    async def credentials(
        self, pod: Object, volume: str, index: int, source: Mapping[str, Any]
    ) -> Credentials:
        """Those of source `index` of the projected `volume`. Raises MountFailure while there are none."""
        ...

    def forget(self, pod_uid: str) -> None: ...

    async def close(self) -> None: ...


class ImageSource(Protocol):
    """Gives images to volumes."""

    async def ensure(self, pod: Object, wanted: Object, lookup: Callable[[str, str], Object | None]) -> None:
        """Have `image` on the node, by `imagePullPolicy`. Raises ImageFailure."""
        ...

    async def view(self, reference: str, key: str) -> ImageView:
        """How to mount an image that is there; it is kept for `key`. Raises RuntimeFailure."""
        ...

    async def release(self, key: str) -> None:
        """Keep nothing for `key` any more. Raises RuntimeFailure."""
        ...


@dataclass(frozen=True, slots=True)
class MountedVolume:
    """A volume that is there: its path on the host, and whether it may only be read.

    `relabel` tells that the runtime may give its files SELinux labels. With a `failure` it is not there: the
    containers that mount it cannot start, others can.
    """

    path: Path
    read_only: bool = False
    relabel: bool = False
    failure: ImageFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeHost:
    """What plug-ins work with, the same for all volumes of a node (upstream's `volume.VolumeHost`)."""

    mounts: Mounts
    disk: Disk
    clock: Clock
    tokens: TokenSource
    trust: TrustSource
    certificates: CertificateSource
    images: ImageSource
    allows_git: bool = False
    """Whether gitRepo volumes are allowed (feature gate GitRepoVolumeDriver)."""
    projects: Projects | None = None
    """Has file systems count what volumes hold (LocalStorageCapacityIsolationFSQuotaMonitoring)."""

    def forget(self, pod_uid: str) -> None:
        """The pod's volumes are taken down."""
        self.trust.forget(pod_uid)
        self.certificates.forget(pod_uid)

    async def close(self) -> None:
        """The agent ends."""
        await self.trust.close()
        await self.certificates.close()


@dataclass(frozen=True, slots=True)
class Identity:
    """Which volume it is: the same `key` for all pods that share it.

    `data` (JSON) is written into the records: what taking down needs and only the API objects tell.
    """

    key: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeContext:
    """One volume of one pod, and what a plug-in may use.

    `directory` is the volume's own (not yet made). `lookup` gives a referenced object by (kind, name)
    in the pod's namespace. `fs_group` is the group files are to belong to, `run_as_user` the one user
    all containers run as, if there is one.
    """

    pod: Object
    volume: Mapping[str, Any]
    identity: Identity
    directory: Path
    lookup: Callable[[str, str], Object | None]
    host: VolumeHost
    allocatable: Mapping[str, str] = field(default_factory=dict)
    fs_group: int | None = None
    run_as_user: int | None = None

    async def on_disk(self, work: Callable[[], T]) -> T:
        """Do something about the volume's files, beside the event loop. Raises MountFailure."""
        try:
            return await self.host.disk.run(disk_key(self.identity.key), work, SET_UP_TIMEOUT_S)
        except TimeoutError as error:
            raise MountFailure(f"the file system does not answer: {error}") from error

    @property
    def name(self) -> str:
        """The volume's name in the pod."""
        name: str = self.volume["name"]
        return name


class VolumePlugin(Protocol):
    """One source of volumes."""

    @property
    def source(self) -> str:
        """The field of a volume that selects the plug-in, such as `configMap`."""
        ...

    @property
    def directory_name(self) -> str:
        """Upstream's name of the directory its volumes are kept in, such as `kubernetes.io~configmap`."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether containers may only read it, whatever their mounts say."""
        ...

    @property
    def relabel(self) -> bool:
        """Whether its files are the pod's own, to be given SELinux labels."""
        ...

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        """The (kind, name) of the ConfigMaps and Secrets the volume shows; pure."""
        ...

    async def publish(self, context: VolumeContext, record: Record) -> Path:
        """Make the volume be there for a pod; the host's path of it. Raises MountFailure.

        Its record says whether a former agent had come to the end (`Record.complete`).
        """
        ...


@runtime_checkable
class Fetched(Protocol):
    """A plug-in that has to bring something to the node first, however long that takes."""

    async def fetch(self, context: VolumeContext) -> None:
        """Bring it, unless it is there. Raises ImageFailure, which concerns its containers alone."""
        ...


@runtime_checkable
class Refreshed(Protocol):
    """A plug-in whose volumes follow something while they are there."""

    async def refresh(self, context: VolumeContext, record: Record) -> None:
        """Make the published volume show what it is to show now. Raises MountFailure."""
        ...


@runtime_checkable
class Staged(Protocol):
    """A plug-in whose volumes are made ready once for all pods of the node."""

    def identity(self, context: VolumeContext) -> Identity:
        """Which volume it is (the context's own identity is not yet the plug-in's). Raises MountFailure."""
        ...

    async def stage(self, context: VolumeContext, staged: Record) -> None:
        """Have the volume at `staged.directory`, before the first pod. Raises MountFailure."""
        ...

    async def unstage(self, staged: Record, host: VolumeHost) -> None:
        """Undo `stage`, or what it got to, when no pod has the volume any more. Raises OSError."""
        ...


@runtime_checkable
class Unpublished(Protocol):
    """A plug-in whose volumes need more than having their directory unmounted and deleted."""

    async def unpublish(self, record: Record, host: VolumeHost) -> None:
        """Undo `publish`, or what it got to, by its record alone. Raises OSError."""
        ...


def disk_key(volume: str) -> str:
    """By what work on a volume's files is told apart from other work on disk."""
    return f"volume {volume}"
