"""Full statuses of containers and sandboxes, without asking again for what cannot have changed.

A listing tells every container's state cheaply; start and finish times, exit codes and addresses
take a call each. What such a call told stays true until the state changes, so it is remembered by
id and state, and forgotten with the container.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import grpc
from cri_api.v1 import api_pb2 as cri

from wherry.kubelet.runtimes.containerd.convert import (
    is_on_host_network,
    resources_of_info,
    sandbox_ips,
    to_container,
    to_sandbox,
)
from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.kubelet.runtimes.labels import POD_UID
from wherry.kubelet.runtimes.sandboxes import Sandbox

Labels = Mapping[str, str]


class Statuses:
    """What containers and sandboxes are like, by one CRI runtime service stub."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self._containers: dict[str, tuple[int, Container]] = {}
        self._addresses: dict[str, tuple[list[str], bool]] = {}
        self._out_of_memory: set[str] = set()
        self._pods: dict[str, str] = {}
        self._must_urge = False

    def pod_of(self, container_id: str) -> str:
        """The uid of the pod a container or sandbox belongs to, "" when it was never seen."""
        return self._pods.get(container_id, "")

    def belongs(self, container_id: str, pod_uid: str) -> None:
        """Remember which pod a container or sandbox was made for."""
        self._pods[container_id] = pod_uid

    def ran_out_of_memory(self, container_id: str) -> None:
        """The kernel killed something in the container.

        containerd says so in the status too, but perhaps only after the exit was looked at.
        """
        self._out_of_memory.add(container_id)

    def changed(self, container_id: str) -> None:
        """Something of the container is other than its state tells: ask anew."""
        self._containers.pop(container_id, None)

    def forget(self, container_id: str) -> None:
        """The container or sandbox is gone."""
        self._containers.pop(container_id, None)
        self._addresses.pop(container_id, None)
        self._pods.pop(container_id, None)
        self._out_of_memory.discard(container_id)

    async def containers(self, labels: Labels) -> list[Container]:
        """All containers with `labels`, newest first. Raises grpc.RpcError."""
        selector = cri.ContainerFilter(label_selector=dict(labels))
        listed = (await self._service.ListContainers(cri.ListContainersRequest(filter=selector))).containers
        found = await asyncio.gather(*(self._container(one) for one in listed))
        if not labels:
            self._keep(self._containers, (one.id for one in listed))
        present = [container for container in found if container is not None]
        return sorted(present, key=lambda container: container.created, reverse=True)

    async def sandboxes(self, labels: Labels) -> list[Sandbox]:
        """All sandboxes with `labels`, newest first. Raises grpc.RpcError."""
        selector = cri.PodSandboxFilter(label_selector=dict(labels))
        listed = (await self._service.ListPodSandbox(cri.ListPodSandboxRequest(filter=selector))).items
        found = await asyncio.gather(*(self._sandbox(one) for one in listed))
        if not labels:
            self._keep(self._addresses, (one.id for one in listed))
        present = [sandbox for sandbox in found if sandbox is not None]
        return sorted(present, key=lambda sandbox: sandbox.created, reverse=True)

    async def _container(self, listed: cri.Container) -> Container | None:
        self.belongs(listed.id, listed.labels.get(POD_UID, ""))
        known = self._containers.get(listed.id)
        if known is None or known[0] != listed.state or listed.state == cri.CONTAINER_UNKNOWN:
            try:
                answer = await self._ask(listed)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:
                    return None
                raise
            resources = resources_of_info(answer.info)
            known = (answer.status.state, to_container(listed.pod_sandbox_id, answer.status, resources))
            self._containers[listed.id] = known
        container = known[1]
        if container.phase is Phase.EXITED and container.id in self._out_of_memory:
            return replace(container, reason="OOMKilled")
        return container

    async def _ask(self, listed: cri.Container) -> cri.ContainerStatusResponse:
        """The full status; of a running container with what it may use, which some only tell when urged."""
        runs = listed.state == cri.CONTAINER_RUNNING
        request = cri.ContainerStatusRequest(container_id=listed.id, verbose=runs and self._must_urge)
        answer: cri.ContainerStatusResponse = await self._service.ContainerStatus(request)
        if runs and not request.verbose and not answer.status.resources.HasField("linux"):
            self._must_urge = True
            request.verbose = True
            answer = await self._service.ContainerStatus(request)
        return answer

    async def _sandbox(self, listed: cri.PodSandbox) -> Sandbox | None:
        self.belongs(listed.id, listed.metadata.uid)
        known = self._addresses.get(listed.id)
        if known is None:
            try:
                answer = await self._service.PodSandboxStatus(
                    cri.PodSandboxStatusRequest(pod_sandbox_id=listed.id)
                )
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:
                    return None
                raise
            known = (sandbox_ips(answer.status), is_on_host_network(answer.status))
            self._addresses[listed.id] = known
        ips, host_network = known
        return to_sandbox(listed, ips, host_network=host_network)

    def _keep(self, remembered: dict[str, Any], ids: Iterable[str]) -> None:
        present = set(ids)
        for container_id in remembered.keys() - present:
            self.forget(container_id)


def by_pod(pod_uid: str) -> Labels:
    """The labels that select a pod's containers and sandboxes; all of them for ""."""
    return {POD_UID: pod_uid} if pod_uid else {}
