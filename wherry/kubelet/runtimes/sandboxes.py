"""Sandboxes: what holds a pod's network and namespaces while its containers come and go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PortMapping:
    """A port of the host that leads to a port of the pod."""

    container_port: int
    host_port: int
    protocol: str = "TCP"
    host_ip: str = ""


@dataclass(frozen=True, slots=True)
class IdRange:
    """Ids of the node, of users and groups alike, that are 0 and up in a pod."""

    first: int
    length: int


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
    users: IdRange | None = None
    """The pod's users in the node's; None for the node's own."""


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


class Sandboxes(Protocol):
    """The part of a runtime that keeps sandboxes. Every method raises RuntimeFailure."""

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
