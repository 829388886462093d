"""`Runtime` by CRI v1 over containerd's socket, and by its event service.

Every method is one or two calls, each with a deadline (`deadlines`); what they carry is converted
elsewhere. Listings remember what cannot change (`statuses`). `events` is containerd's own stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

import grpc
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc

from wherry.kit.cgroups import remove_cgroup
from wherry.kit.clock import Clock
from wherry.kubelet.registries.rewriting import Pull
from wherry.kubelet.runtimes.containerd import errors
from wherry.kubelet.runtimes.containerd.convert import (
    CGROUP_PARENT,
    chain_id_of_info,
    container_config,
    sandbox_config,
    snapshotter_of_info,
    to_image,
    to_linux_resources,
    to_usage,
)
from wherry.kubelet.runtimes.containerd.deadlines import REQUEST_S, Bounded
from wherry.kubelet.runtimes.containerd.errors import translated
from wherry.kubelet.runtimes.containerd.events import SUBSCRIBE, parse_envelope, subscribe_request
from wherry.kubelet.runtimes.containerd.follow import Follower
from wherry.kubelet.runtimes.containerd.reference import InvalidReference, normalize
from wherry.kubelet.runtimes.containerd.snapshots import Snapshots
from wherry.kubelet.runtimes.containerd.statuses import Statuses, by_pod
from wherry.kubelet.runtimes.containers import Container, ContainerSpec, Resources
from wherry.kubelet.runtimes.failures import NoSuchThing, RuntimeFailure
from wherry.kubelet.runtimes.images import Image, ImageView
from wherry.kubelet.runtimes.operations import Operations
from wherry.kubelet.runtimes.runtime import HandlerFeatures, RuntimeEvent, RuntimeStatus
from wherry.kubelet.runtimes.sandboxes import Sandbox, SandboxSpec
from wherry.kubelet.runtimes.streams import ExecResult
from wherry.kubelet.runtimes.usage import ContainerUsage

# A message may hold the statuses of many containers with long annotations.
_OPTIONS = (("grpc.max_receive_message_length", 64 << 20), ("grpc.enable_retries", 0))


class ContainerdRuntime:
    """A containerd at `socket`. `seccomp_profiles` is where profiles of type Localhost lie.

    `pulls` makes of the plain way to pull an image the one that is used.
    """

    def __init__(
        self,
        socket: Path,
        clock: Clock,
        *,
        seccomp_profiles: Path = Path("/"),
        pulls: Callable[[Pull], Pull] = lambda pull: pull,
    ) -> None:
        self._pull = pulls(self._plain_pull)
        self._clock = clock
        self._profiles = seccomp_profiles
        self._channel = grpc.aio.insecure_channel(f"unix://{socket}", options=_OPTIONS)
        self.operations = Operations()
        self._service = Bounded(api_pb2_grpc.RuntimeServiceStub(self._channel), self.operations)
        self._images = Bounded(api_pb2_grpc.ImageServiceStub(self._channel), self.operations)
        self._snapshots = Snapshots(self._channel)
        self._statuses = Statuses(self._service)
        self._followers: WeakSet[Follower] = WeakSet()

    async def status(self) -> RuntimeStatus:
        with translated():
            version, answer = await asyncio.gather(
                self._service.Version(cri.VersionRequest()), self._service.Status(cri.StatusRequest())
            )
        conditions = {condition.type: condition for condition in answer.status.conditions}
        bad = [c for c in conditions.values() if not c.status]
        return RuntimeStatus(
            ready="RuntimeReady" in conditions and conditions["RuntimeReady"].status,
            network_ready="NetworkReady" in conditions and conditions["NetworkReady"].status,
            message=", ".join(f"{c.type}=false reason:{c.reason} message:{c.message}" for c in bad),
            name=version.runtime_name,
            version=version.runtime_version,
            handlers={
                h.name: HandlerFeatures(h.features.recursive_read_only_mounts, h.features.user_namespaces)
                for h in answer.runtime_handlers
            },
            strict_groups=answer.features.supplemental_groups_policy if answer.HasField("features") else None,
        )

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        request = cri.RunPodSandboxRequest(
            config=sandbox_config(spec, self._profiles), runtime_handler=spec.runtime_handler
        )
        with translated("CreatePodSandboxError"):
            answer = await self._service.RunPodSandbox(request)
        sandbox_id: str = answer.pod_sandbox_id
        self._statuses.belongs(sandbox_id, spec.uid)
        return sandbox_id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        with translated():
            await self._unless_gone(
                self._service.StopPodSandbox(cri.StopPodSandboxRequest(pod_sandbox_id=sandbox_id))
            )

    async def remove_sandbox(self, sandbox_id: str) -> None:
        with translated():
            selector = cri.PodSandboxFilter(id=sandbox_id)
            listed = await self._service.ListPodSandbox(cri.ListPodSandboxRequest(filter=selector))
            await self._unless_gone(
                self._service.RemovePodSandbox(cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id))
            )
        self._statuses.forget(sandbox_id)
        parents = {sandbox.annotations.get(CGROUP_PARENT, "") for sandbox in listed.items}
        for parent in parents - {""}:
            await asyncio.to_thread(remove_cgroup, parent)

    async def sandboxes(self, pod_uid: str = "") -> list[Sandbox]:
        with translated():
            return await self._statuses.sandboxes(by_pod(pod_uid))

    async def containers(self, pod_uid: str = "") -> list[Container]:
        with translated():
            return await self._statuses.containers(by_pod(pod_uid))

    async def create_container(self, sandbox_id: str, sandbox: SandboxSpec, spec: ContainerSpec) -> str:
        request = cri.CreateContainerRequest(
            pod_sandbox_id=sandbox_id,
            config=container_config(spec, sandbox, self._profiles),
            sandbox_config=sandbox_config(sandbox, self._profiles),
        )
        with translated(errors.CREATE_CONTAINER_ERROR):
            answer = await self._service.CreateContainer(request)
        container_id: str = answer.container_id
        self._statuses.belongs(container_id, sandbox.uid)
        return container_id

    async def start_container(self, container_id: str) -> None:
        with translated(errors.RUN_CONTAINER_ERROR):
            await self._service.StartContainer(cri.StartContainerRequest(container_id=container_id))

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        grace_s = max(grace_s, 0)
        request = cri.StopContainerRequest(container_id=container_id, timeout=grace_s)
        with translated():
            await self._unless_gone(self._service.StopContainer(request, timeout=grace_s + REQUEST_S))

    async def update_container(self, container_id: str, resources: Resources) -> None:
        request = cri.UpdateContainerResourcesRequest(
            container_id=container_id, linux=to_linux_resources(replace(resources, oom_score_adj=0))
        )
        with translated():
            await self._service.UpdateContainerResources(request)
        self._statuses.changed(container_id)

    async def remove_container(self, container_id: str) -> None:
        request = cri.RemoveContainerRequest(container_id=container_id)
        with translated():
            await self._unless_gone(self._service.RemoveContainer(request))
        self._statuses.forget(container_id)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_s: float) -> ExecResult:
        # containerd counts whole seconds; ours, a little later, is the exact one.
        request = cri.ExecSyncRequest(
            container_id=container_id, cmd=command, timeout=int(timeout_s) + 1 if timeout_s > 0 else 0
        )
        call = self._service.ExecSync(request, timeout=timeout_s if timeout_s > 0 else None)
        try:
            answer = await call
        except grpc.RpcError as error:
            late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            if late or "timeout" in (error.details() or ""):
                raise TimeoutError(f"command timed out after {timeout_s:g}s") from error
            raise errors.failure(error) from error
        return ExecResult(answer.exit_code, answer.stdout, answer.stderr)

    async def streaming_url(self, verb: str, container_id: str, options: Mapping[str, object]) -> str:
        wanted: Mapping[str, Any] = options
        flags = {name: bool(wanted.get(name)) for name in ("stdin", "stdout", "stderr", "tty")}
        call: Any
        if verb == "exec":
            request = cri.ExecRequest(container_id=container_id, cmd=wanted.get("command") or (), **flags)
            call = self._service.Exec(request)
        elif verb == "attach":
            call = self._service.Attach(cri.AttachRequest(container_id=container_id, **flags))
        elif verb == "port-forward":
            ports = [int(port) for port in wanted.get("ports") or ()]
            call = self._service.PortForward(cri.PortForwardRequest(pod_sandbox_id=container_id, port=ports))
        else:
            raise ValueError(f"unknown streaming verb {verb!r}")
        with translated():
            url: str = (await call).url
        return url

    async def reopen_log(self, container_id: str) -> None:
        with translated():
            await self._service.ReopenContainerLog(cri.ReopenContainerLogRequest(container_id=container_id))

    async def checkpoint(self, container_id: str, location: str, timeout_s: int) -> None:
        """Write the container's state to `location`. Raises RuntimeFailure, also from one that cannot."""
        request = cri.CheckpointContainerRequest(
            container_id=container_id, location=location, timeout=timeout_s
        )
        with translated():
            await self._service.CheckpointContainer(request, timeout=(timeout_s or REQUEST_S))

    async def image(self, reference: str) -> Image | None:
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=_normal(reference)))
        with translated():
            answer = await self._images.ImageStatus(request)
        return to_image(answer.image) if answer.HasField("image") else None

    async def images(self) -> list[Image]:
        with translated():
            answer = await self._images.ListImages(cri.ListImagesRequest())
        return [to_image(image) for image in answer.images]

    async def pull_image(self, reference: str, auth: Mapping[str, str] | None = None) -> str:
        return await self._pull(reference, auth)

    async def _plain_pull(self, reference: str, auth: Mapping[str, str] | None) -> str:
        spec = cri.ImageSpec(image=_normal(reference))
        request = cri.PullImageRequest(image=spec, auth=cri.AuthConfig(**auth) if auth else None)
        with translated(errors.ERR_IMAGE_PULL):
            answer = await self._images.PullImage(request)
        image_ref: str = answer.image_ref
        return image_ref

    async def remove_image(self, reference: str) -> None:
        request = cri.RemoveImageRequest(image=cri.ImageSpec(image=_normal(reference)))
        with translated():
            await self._unless_gone(self._images.RemoveImage(request))

    async def image_filesystem(self) -> str:
        with translated():
            answer = await self._images.ImageFsInfo(cri.ImageFsInfoRequest())
        return next((fs.fs_id.mountpoint for fs in answer.image_filesystems), "")

    async def view_image(self, reference: str, key: str) -> ImageView:
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=_normal(reference)), verbose=True)
        with translated():
            answer = await self._images.ImageStatus(request)
            chain_id = chain_id_of_info(answer.info) if answer.HasField("image") else ""
            if not chain_id:
                raise NoSuchThing(f'image "{reference}" is not unpacked on this node')
            now = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            return await self._snapshots.view(await self._snapshotter(), key, chain_id, now)

    async def release_view(self, key: str) -> None:
        with translated():
            await self._snapshots.remove(await self._snapshotter(), key)

    async def _snapshotter(self) -> str:
        """The name of what unpacks images, as containerd is configured."""
        answer = await self._service.Status(cri.StatusRequest(verbose=True))
        return snapshotter_of_info(answer.info)

    async def usage(self) -> list[ContainerUsage]:
        """What running containers use. Raises RuntimeFailure."""
        with translated():
            answer = await self._service.ListContainerStats(cri.ListContainerStatsRequest())
        # What has ended is listed too, without figures.
        return [to_usage(stats) for stats in answer.stats if stats.cpu.timestamp]

    def events(self) -> AsyncIterator[RuntimeEvent]:
        subscribe = self._channel.unary_stream(
            SUBSCRIBE, request_serializer=None, response_deserializer=parse_envelope
        )
        stream: Any = subscribe(subscribe_request())
        follower = Follower(self._service, self._statuses, self._clock)
        self._followers.add(follower)
        return follower.follow(stream)

    async def close(self) -> None:
        for follower in list(self._followers):
            await follower.close()
        await self._channel.close(grace=None)

    async def _unless_gone(self, call: Any) -> None:
        """Await a call for which it is as good if there is nothing to do it to."""
        try:
            await call
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise


def _normal(reference: str) -> str:
    try:
        return normalize(reference)
    except InvalidReference as error:
        text = f'Failed to apply default image tag "{reference}": couldn\'t parse image name '
        text += f'"{reference}": {error}'
        raise RuntimeFailure(text, errors.INVALID_IMAGE_NAME) from error
