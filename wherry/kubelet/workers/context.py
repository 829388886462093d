"""What every pod worker of a node shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wherry.client.api import Client
from wherry.client.events import Recorder
from wherry.kit.backoff import BackOff
from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kubelet.allocation.allocations import Allocations
from wherry.kubelet.cgroups import PodCgroups
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.devices.node_devices import NodeDevices
from wherry.kubelet.hooks import Hooks
from wherry.kubelet.images import Images
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.probes.runner import Probes
from wherry.kubelet.references import References
from wherry.kubelet.runtimes.runtime import Runtime, RuntimeStatus
from wherry.kubelet.status_writer import StatusWriter
from wherry.kubelet.topology.managers import Managers
from wherry.kubelet.users import UserRanges
from wherry.kubelet.volumes.pod_volumes import PodVolumes
from wherry.kubelet.volumes.tokens import Tokens
from wherry.objects.meta import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """The node's parts a worker uses.

    `disk` is where work on a pod's files is done, by the pod's uid. `services` gives the cluster's Services
    as known, `allocatable` what pods may have of the node's resources, `pressure` the pressure conditions
    that are true, `node_ip` the node's address as it is now, `network_error` why pods cannot be networked
    ("" if they can), `is_recursive_read_only` whether the runtime makes mounts so for pods of a runtime
    class.
    """

    config: KubeletConfig
    client: Client
    runtime: Runtime
    clock: Clock
    recorder: Recorder
    images: Images
    volumes: PodVolumes
    disk: Disk
    tokens: Tokens
    references: References
    probes: Probes
    hooks: Hooks
    devices: NodeDevices
    managers: Managers
    cgroups: PodCgroups
    allocations: Allocations
    back_off: BackOff
    statuses: StatusWriter
    services: Callable[[], Sequence[Object]]
    allocatable: Callable[[], Mapping[str, str]]
    pressure: Callable[[], Sequence[str]]
    node_ip: Callable[[], str]
    network_error: Callable[[], str]
    shutdown_objection: Callable[[], tuple[str, str] | None]
    """Why no pod is taken any more, None if some are."""
    runtime_status: Callable[[], RuntimeStatus | None]
    """What the runtime last said of itself, None before the first time."""
    users: UserRanges
    is_recursive_read_only: Callable[[str | None], bool]
    memory_bytes: int
    huge_pages: tuple[int, ...]
    """Sizes in bytes of the huge pages the machine has."""
    runtime_name: str
    metrics: KubeletMetrics

    @property
    def host_ips(self) -> list[str]:
        """The node's addresses."""
        second = self.config.second_ip
        return [self.node_ip(), *((second,) if second else ())]
