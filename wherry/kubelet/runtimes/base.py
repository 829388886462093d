"""The protocol between the kubelet and whatever runs containers.

It is CRI v1 reduced to what the kubelet decides on, in plain dataclasses, so that pod workers are
tested against a fake in milliseconds and a runtime's own messages stay in the runtime's folder.
Names, namespaces and the like travel as labels, in upstream's keys (`io.kubernetes.pod.name` ...),
so that crictl and other tools show them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol, runtime_checkable

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"


class RuntimeFailure(Exception):
    """The runtime could not do it. `reason` is upstream's for the container's waiting state, if any."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class NoSuchThing(RuntimeFailure):
    """The sandbox, container or image is not there (any more)."""


class Phase(Enum):
    """Where a container stands."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PortMapping:
    """A port of the host that leads to a port of the pod."""

    container_port: int
    host_port: int
    protocol: str = "TCP"
    host_ip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """What a pod's sandbox is made from.

    `attempt` counts the sandboxes of one pod. `hostname`, DNS and sysctls as the pod says;
    `host_network`, `host_pid`, `host_ipc`, `share_process_namespace` choose namespaces.
    `log_directory` is where its containers' logs go. `cgroup_parent` is a cgroup path.
    """

    name: str
    namespace: str
    uid: str
    attempt: int = 0
    hostname: str = ""
    log_directory: str = ""
    cgroup_parent: str = ""
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_process_namespace: bool = False
    dns_servers: Sequence[str] = ()
    dns_searches: Sequence[str] = ()
    dns_options: Sequence[str] = ()
    port_mappings: Sequence[PortMapping] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    security: Mapping[str, object] = field(default_factory=dict)
    """The pod's `spec.securityContext`, as in the API."""
    privileged: bool = False
    """Whether any of its containers is: the runtime refuses privileged containers in other sandboxes."""
    runtime_handler: str = ""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox as the runtime reports it; `ips` is empty on the host's network."""

    id: str
    name: str
    namespace: str
    uid: str
    attempt: int
    ready: bool
    created: datetime
    ips: Sequence[str] = ()
    host_network: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """A path of the host shown inside a container; `propagation` as in the API (None, HostToContainer,

    Bidirectional).
    """

    host_path: str
    container_path: str
    read_only: bool = False
    propagation: str = "None"


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits for cgroups: CFS shares, quota and period in microseconds, memory in bytes; 0: unset."""

    cpu_shares: int = 0
    cpu_quota_us: int = 0
    cpu_period_us: int = 0
    memory_limit_bytes: int = 0
    oom_score_adj: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """What a container is made from. `attempt` counts restarts; `log_path` is relative to the

    sandbox's log directory. `command` replaces the image's entrypoint, `args` its arguments.
    `security` is the container's `securityContext` as in the API, already merged with the pod's.
    """

    name: str
    attempt: int
    image: str
    """The image reference or id to run, already present."""
    command: Sequence[str] = ()
    args: Sequence[str] = ()
    working_dir: str = ""
    env: Sequence[tuple[str, str]] = ()
    mounts: Sequence[Mount] = ()
    log_path: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    security: Mapping[str, object] = field(default_factory=dict)
    devices: Sequence[str] = ()
    target_container_id: str = ""
    """The container whose processes an ephemeral container shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as the runtime reports it."""

    id: str
    sandbox_id: str
    name: str
    attempt: int
    image: str
    image_id: str
    phase: Phase
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    log_path: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image on the node; `names` are its tags and digests, `uid` or `username` what it runs as by default.

    One that is `pinned` is the runtime's own and never removed.
    """

    id: str
    names: Sequence[str]
    size_bytes: int
    uid: int | None = None
    username: str = ""
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command run inside a container left."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class RuntimeStatus:
    """Whether containers can be run and pods be given a network; reasons when not."""

    ready: bool
    network_ready: bool
    message: str = ""
    name: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """Something happened to a container (or sandbox): look at pod `pod_uid` again.

    `pod_uid` is "" when the runtime cannot tell; then everything must be looked at.
    """

    kind: str
    """`started`, `exited`, `deleted` or `lost` (events may have been missed)."""
    container_id: str = ""
    pod_uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUsage:
    """What one running container uses. `cpu_total_ns` only ever grows; `memory_working_set_bytes`

    is what cannot be reclaimed at once; `disk_bytes` is its writable layer.
    """

    container_id: str
    name: str
    pod_name: str
    pod_namespace: str
    pod_uid: str
    time: datetime
    cpu_total_ns: int = 0
    memory_usage_bytes: int = 0
    memory_working_set_bytes: int = 0
    disk_bytes: int = 0
    disk_inodes: int = 0


@runtime_checkable
class Meter(Protocol):
    """A runtime that can tell what containers use; not every one can."""

    async def usage(self) -> list[ContainerUsage]:
        """The usage of all running containers. Raises RuntimeFailure."""
        ...


class Runtime(Protocol):
    """What runs containers. Every method raises RuntimeFailure (NoSuchThing where it says so)."""

    async def status(self) -> RuntimeStatus: ...

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """Make and start a sandbox with its network; its id."""
        ...

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill what still runs in it and take its network down. Harmless when it is gone."""
        ...

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Forget a stopped sandbox and its containers. Harmless when it is gone."""
        ...

    async def sandboxes(self, pod_uid: str = "") -> list[Sandbox]:
        """All sandboxes (of one pod), newest first, with their addresses."""
        ...

    async def containers(self, pod_uid: str = "") -> list[Container]:
        """All containers (of one pod), in full detail, newest first."""
        ...

    async def create_container(self, sandbox_id: str, sandbox: SandboxSpec, spec: ContainerSpec) -> str:
        """Make a container, not yet started; its id."""
        ...

    async def start_container(self, container_id: str) -> None: ...

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        """Ask it to stop, kill it after `grace_s` seconds. Harmless when it is gone."""
        ...

    async def remove_container(self, container_id: str) -> None:
        """Forget a container that does not run. Harmless when it is gone."""
        ...

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_s: float) -> ExecResult:
        """Run a command inside and wait. Raises TimeoutError, NoSuchThing."""
        ...

    async def streaming_url(self, verb: str, container_id: str, options: Mapping[str, object]) -> str:
        """The URL of the runtime's own streaming server for `exec`, `attach` (container id) or

        `port-forward` (sandbox id). Options: command, stdin, stdout, stderr, tty, ports.
        """
        ...

    async def reopen_log(self, container_id: str) -> None:
        """The log file was moved: begin a new one."""
        ...

    async def image(self, reference: str) -> Image | None:
        """The image if it is on the node."""
        ...

    async def images(self) -> list[Image]: ...

    async def pull_image(self, reference: str, auth: Mapping[str, str] | None = None) -> str:
        """Fetch an image; its id. Raises RuntimeFailure with reason ErrImagePull or InvalidImageName."""
        ...

    async def remove_image(self, reference: str) -> None:
        """Remove an image, by id with all its names. Harmless when it is gone."""
        ...

    async def image_filesystem(self) -> str:
        """A directory on the file system that holds images, "" if the runtime does not tell."""
        ...

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """What happens to containers, as it happens; ends when the runtime goes away."""
        ...

    async def close(self) -> None: ...
