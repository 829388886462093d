"""Containers: what is made in a sandbox from an image, runs once, and leaves an exit code and a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

from wherry.kubelet.runtimes.sandboxes import SandboxSpec


class Phase(Enum):
    """Where a container stands."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Mount:
    """A path of the host shown inside a container.

    `propagation` is as in the API (None, HostToContainer, Bidirectional). `recursive` makes what is mounted
    below it read-only too. `relabel` lets the runtime give it the container's SELinux label, where there is
    SELinux.
    """

    host_path: str
    container_path: str
    read_only: bool = False
    propagation: str = "None"
    recursive: bool = False
    relabel: bool = False


@dataclass(frozen=True, slots=True)
class DeviceNode:
    """A device file of the host shown inside a container; `permissions` are some of r, w and m (make
    nodes).
    """

    host_path: str
    container_path: str
    permissions: str = "mrw"


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits for cgroups: CFS shares, quota and period in microseconds, memory in bytes; 0: unset."""

    cpu_shares: int = 0
    cpu_quota_us: int = 0
    cpu_period_us: int = 0
    memory_limit_bytes: int = 0
    oom_score_adj: int = 0
    cpus: str = ""
    """The processors it may run on, as Linux lists them; "" for any."""
    memory_nodes: str = ""
    """The NUMA nodes its memory may come from, likewise."""
    huge_pages: Mapping[str, int] = field(default_factory=dict)
    """Limits in bytes by the size of pages, as the kernel calls it (`2MB`)."""


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
    devices: Sequence[DeviceNode] = ()
    cdi_devices: Sequence[str] = ()
    """Names of devices the runtime knows by the specifications of /etc/cdi and /var/run/cdi (CDI)."""
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
    resources: Resources | None = None
    """What a running container may use as it is now; None where the runtime does not tell."""


class Containers(Protocol):
    """The part of a runtime that keeps containers. Every method raises RuntimeFailure."""

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

    async def update_container(self, container_id: str, resources: Resources) -> None:
        """Give a running container other limits; those of 0 stay as they are (`oom_score_adj` always does).

        They are the container's own: the cgroup it lies in has to have room for them.
        """
        ...

    async def remove_container(self, container_id: str) -> None:
        """Forget a container that does not run. Harmless when it is gone."""
        ...

    async def reopen_log(self, container_id: str) -> None:
        """The log file was moved: begin a new one."""
        ...
