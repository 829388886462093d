"""Telling which container has which devices, processors and memory: the pod-resources API, v1.

Source: k8s.io/kubelet/pkg/apis/podresources/v1; pkg/kubelet/apis/podresources (server_v1, the rate limit).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import grpc

from wherry.kit.clock import Clock
from wherry.kubelet.devices.device_plugins import DevicePlugins
from wherry.kubelet.devices.dra.claims import Claims
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.plugins.calls import PluginServer, Refused
from wherry.kubelet.plugins.declared import Messages
from wherry.kubelet.plugins.pace import Pace
from wherry.kubelet.pod import init_containers, is_sidecar, is_terminal, regular_containers
from wherry.objects.meta import Object, name_of, namespace_of, uid_of

PER_S, BURST = 100.0, 10
"""`DefaultQPS`, `DefaultBurstTokens`."""
VERSION = "v1"
MESSAGES = Messages(
    "v1",
    {
        "AllocatableResourcesRequest": "",
        "ListPodResourcesRequest": "",
        "GetPodResourcesRequest": "string pod_name 1, string pod_namespace 2",
        "NUMANode": "int64 ID 1",
        "TopologyInfo": "[]NUMANode nodes 1",
        "ContainerMemory": "string memory_type 1, uint64 size 2, TopologyInfo topology 3",
        "ContainerDevices": "string resource_name 1, []string device_ids 2, TopologyInfo topology 3",
        "AllocatableResourcesResponse": "[]ContainerDevices devices 1, []int64 cpu_ids 2,"
        " []ContainerMemory memory 3",
        "CDIDevice": "string name 1",
        "ClaimResource": "[]CDIDevice cdi_devices 1, string driver_name 2, string pool_name 3,"
        " string device_name 4",
        "DynamicResource": "string claim_name 2, string claim_namespace 3, []ClaimResource claim_resources 4",
        "ContainerResources": "string name 1, []ContainerDevices devices 2, []int64 cpu_ids 3,"
        " []ContainerMemory memory 4, []DynamicResource dynamic_resources 5",
        "PodResources": "string name 1, string namespace 2, []ContainerResources containers 3",
        "ListPodResourcesResponse": "[]PodResources pod_resources 1",
        "GetPodResourcesResponse": "PodResources pod_resources 1",
    },
)


class Exclusive(Protocol):
    """Who gives processors and memory to single containers (the CPU and memory managers).

    Memory is (kind, bytes, NUMA nodes).
    """

    def cpus(self, pod_uid: str, container: str) -> Iterable[int]:
        """The processors a container has for itself."""
        ...

    def memory(self, pod_uid: str, container: str) -> Iterable[tuple[str, int, Iterable[int]]]:
        """The memory that is kept for a container."""
        ...

    def allocatable_cpus(self) -> Iterable[int]:
        """The processors containers can have for themselves."""
        ...

    def allocatable_memory(self) -> Iterable[tuple[str, int, Iterable[int]]]:
        """The memory that can be kept for containers."""
        ...


class NothingExclusive:
    """Processors and memory are shared by all containers alike."""

    def cpus(self, pod_uid: str, container: str) -> Iterable[int]:
        """None."""
        return ()

    def memory(self, pod_uid: str, container: str) -> Iterable[tuple[str, int, Iterable[int]]]:
        """None."""
        return ()

    def allocatable_cpus(self) -> Iterable[int]:
        """None."""
        return ()

    def allocatable_memory(self) -> Iterable[tuple[str, int, Iterable[int]]]:
        """None."""
        return ()


class PodResources:
    """Serves at `socket`. `pods` gives the pods of the node."""

    def __init__(
        self,
        socket: Path,
        pods: Callable[[], Sequence[Object]],
        plugins: DevicePlugins,
        claims: Claims,
        exclusive: Exclusive,
        clock: Clock,
        metrics: KubeletMetrics,
    ) -> None:
        self._pods = pods
        self._plugins = plugins
        self._claims = claims
        self._exclusive = exclusive
        self._pace = Pace(clock, PER_S, BURST)
        self._metrics = metrics
        self._server = PluginServer(
            socket,
            "v1.PodResourcesLister",
            {
                "List": (MESSAGES.ListPodResourcesRequest, self._list),
                "GetAllocatableResources": (MESSAGES.AllocatableResourcesRequest, self._allocatable),
                "Get": (MESSAGES.GetPodResourcesRequest, self._get),
            },
        )

    async def start(self) -> None:
        """Serve. Raises OSError."""
        await self._server.start()

    async def close(self) -> None:
        """Serve no more."""
        await self._server.close()

    async def _list(self, _request: Any) -> Any:
        self._count("list")
        pods = [pod for pod in self._pods() if not is_terminal(pod)]
        return MESSAGES.ListPodResourcesResponse(pod_resources=[self._pod(pod) for pod in pods])

    async def _get(self, request: Any) -> Any:
        self._count("get")
        wanted = (request.pod_namespace, request.pod_name)
        for pod in self._pods():
            if (namespace_of(pod), name_of(pod)) == wanted:
                return MESSAGES.GetPodResourcesResponse(pod_resources=self._pod(pod))
        self._metrics.pod_resources_errors_get.inc(VERSION)
        raise Refused(f"pod {request.pod_name[:253]} in namespace {request.pod_namespace[:253]} not found")

    async def _allocatable(self, _request: Any) -> Any:
        self._count("get_allocatable")
        inventory = self._plugins.inventory
        devices = []
        for resource in inventory.names():
            offer = inventory.find(resource)
            for one in sorted(offer.healthy()) if offer is not None else ():
                nodes = offer.devices[one].nodes if offer is not None else ()
                devices.append(_devices(resource, [one], nodes))
        return MESSAGES.AllocatableResourcesResponse(
            devices=devices,
            cpu_ids=sorted(self._exclusive.allocatable_cpus()),
            memory=_memory(self._exclusive.allocatable_memory()),
        )

    def _count(self, method: str) -> None:
        """Count a request. Raises Refused when there are too many."""
        if not self._pace.is_within():
            raise Refused("rejected by rate limit", grpc.StatusCode.RESOURCE_EXHAUSTED)
        self._metrics.pod_resources_requests.inc(VERSION)
        counter = {
            "list": self._metrics.pod_resources_requests_list,
            "get": self._metrics.pod_resources_requests_get,
            "get_allocatable": self._metrics.pod_resources_requests_allocatable,
        }[method]
        counter.inc(VERSION)

    def _pod(self, pod: Object) -> Any:
        sidecars = [one for one in init_containers(pod) if is_sidecar(one)]
        containers = [self._container(pod, one) for one in [*sidecars, *regular_containers(pod)]]
        return MESSAGES.PodResources(name=name_of(pod), namespace=namespace_of(pod), containers=containers)

    def _container(self, pod: Object, container: Object) -> Any:
        uid, name = uid_of(pod), container["name"]
        devices = [
            _devices(resource, ids, () if node < 0 else (node,))
            for resource, assigned in sorted(self._plugins.assignments.of(uid, name).items())
            for node, ids in sorted(assigned.by_node.items())
        ]
        return MESSAGES.ContainerResources(
            name=name,
            devices=devices,
            cpu_ids=sorted(self._exclusive.cpus(uid, name)),
            memory=_memory(self._exclusive.memory(uid, name)),
            dynamic_resources=[_dynamic(info) for info in self._claims.infos(pod, container)],
        )


def _devices(resource: str, ids: Iterable[str], nodes: Iterable[int]) -> Any:
    found = MESSAGES.ContainerDevices(resource_name=resource, device_ids=sorted(ids))
    near = _topology(nodes)
    if near.nodes:
        found.topology.CopyFrom(near)
    return found


def _topology(nodes: Iterable[int]) -> Any:
    return MESSAGES.TopologyInfo(nodes=[MESSAGES.NUMANode(ID=node) for node in sorted(nodes)])


def _memory(blocks: Iterable[tuple[str, int, Iterable[int]]]) -> list[Any]:
    return [
        MESSAGES.ContainerMemory(memory_type=kind, size=size, topology=_topology(nodes))
        for kind, size, nodes in blocks
    ]


def _dynamic(info: Any) -> Any:
    resources = [
        MESSAGES.ClaimResource(
            cdi_devices=[MESSAGES.CDIDevice(name=name) for name in device.cdi],
            driver_name=driver,
            pool_name=device.pool,
            device_name=device.name,
        )
        for driver, device in info.devices()
    ]
    return MESSAGES.DynamicResource(
        claim_name=info.name, claim_namespace=info.namespace, claim_resources=resources
    )
