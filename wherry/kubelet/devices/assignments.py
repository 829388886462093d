"""Which container has which devices, and what of them it is to be shown. Pure (upstream's podDevices)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from google.protobuf.message import DecodeError

from wherry.kubelet.devices.messages import MESSAGES
from wherry.kubelet.runtimes.containers import DeviceNode, Mount

log = logging.getLogger(__name__)

T = TypeVar("T")

NO_NODE = -1
"""The NUMA node of devices that are near to none."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """Devices of one resource: their ids by NUMA node, and what the plug-in answered when they were given."""

    by_node: Mapping[int, tuple[str, ...]]
    answer: bytes

    @property
    def ids(self) -> frozenset[str]:
        """The devices."""
        return frozenset(one for ids in self.by_node.values() for one in ids)


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """What a container is made with beside its spec."""

    env: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    devices: tuple[DeviceNode, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    cdi_devices: tuple[str, ...] = ()

    def with_cdi(self, names: list[str]) -> DeviceOptions:
        """The same with more CDI devices, none twice."""
        return replace(self, cdi_devices=tuple(dict.fromkeys((*self.cdi_devices, *names))))


class Assignments:
    """By pod uid, container and resource."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, dict[str, Assigned]]] = {}

    def put(self, uid: str, container: str, resource: str, assigned: Assigned) -> None:
        """The container has these."""
        self._pods.setdefault(uid, {}).setdefault(container, {})[resource] = assigned

    def forget(self, uid: str) -> bool:
        """The pod is gone; whether it had any."""
        return self._pods.pop(uid, None) is not None

    def pods(self) -> list[str]:
        """The pods that have devices."""
        return list(self._pods)

    def has_pod(self, uid: str) -> bool:
        """Whether the pod has devices."""
        return uid in self._pods

    def of(self, uid: str, container: str) -> Mapping[str, Assigned]:
        """What a container has, by resource."""
        return self._pods.get(uid, {}).get(container, {})

    def in_use(self, resource: str) -> set[str]:
        """All devices of a resource that containers have."""
        return {one for _, _, name, assigned in self.all() if name == resource for one in assigned.ids}

    def amounts(self) -> dict[str, int]:
        """How many devices of each resource containers have."""
        used: dict[str, set[str]] = {}
        for _, _, resource, assigned in self.all():
            used.setdefault(resource, set()).update(assigned.ids)
        return {resource: len(ids) for resource, ids in used.items()}

    def users(self, resource: str, ids: set[str]) -> set[str]:
        """The pods that have one of these devices."""
        return {uid for uid, _, name, assigned in self.all() if name == resource and assigned.ids & ids}

    def all(self) -> Iterator[tuple[str, str, str, Assigned]]:
        """Everything: pod uid, container, resource, devices."""
        for uid, containers in self._pods.items():
            for container, resources in containers.items():
                for resource, assigned in resources.items():
                    yield uid, container, resource, assigned

    def options(self, uid: str, container: str) -> DeviceOptions:
        """What the container is to be made with. Of two answers that contradict each other the later
        counts.
        """
        env: dict[str, str] = {}
        annotations: dict[str, str] = {}
        mounts: dict[str, Mount] = {}
        devices: dict[str, DeviceNode] = {}
        cdi: dict[str, None] = {}
        where = f"container {container} of pod {uid}"
        for assigned in self.of(uid, container).values():
            try:
                answer = MESSAGES.ContainerAllocateResponse.FromString(assigned.answer)
            except DecodeError:
                log.error("%s: what was kept of its devices cannot be read, they are left out", where)
                continue
            _put_all(env, dict(answer.envs), f"{where}: environment")
            _put_all(annotations, dict(answer.annotations), f"{where}: annotations")
            _put_all(mounts, _by_path(answer.mounts, _mount), f"{where}: mounts")
            _put_all(devices, _by_path(answer.devices, _device), f"{where}: devices")
            cdi.update((one.name, None) for one in answer.cdi_devices if one.name)
        return DeviceOptions(
            tuple(sorted(env.items())),
            tuple(mounts.values()),
            tuple(devices.values()),
            annotations,
            tuple(cdi),
        )


def _put_all(into: dict[str, T], more: Mapping[str, T], where: str) -> None:
    for key, value in more.items():
        if into.get(key, value) != value:
            log.error("%s: plug-ins want different things as %s", where, key)
        into[key] = value


def _by_path(listed: Any, make: Callable[[Any], T]) -> dict[str, T]:
    return {one.container_path: make(one) for one in listed}


def _mount(mount: Any) -> Mount:
    return Mount(mount.host_path, mount.container_path, mount.read_only)


def _device(device: Any) -> DeviceNode:
    return DeviceNode(device.host_path, device.container_path, device.permissions)
