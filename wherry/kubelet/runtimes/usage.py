"""What running containers use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable


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
