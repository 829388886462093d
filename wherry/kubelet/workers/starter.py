"""Starting one container: image, configuration, creation, start, postStart hook, each with its event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from wherry.kit.tasks import to_the_end
from wherry.kubelet.credentials import pull_secrets
from wherry.kubelet.devices.assignments import DeviceOptions
from wherry.kubelet.devices.choosing import CannotAllocate
from wherry.kubelet.devices.device_plugins import NotYet
from wherry.kubelet.devices.dra.usable import NotPrepared
from wherry.kubelet.environment import (
    ConfigFailure,
    Surroundings,
    container_environment,
    references_of,
)
from wherry.kubelet.hooks import HookFailure
from wherry.kubelet.hosts import render_host_network_hosts, render_hosts
from wherry.kubelet.images import ImageFailure
from wherry.kubelet.plan import Start
from wherry.kubelet.pod import (
    all_containers,
    field_path,
    grace_period_s,
    spec_of,
    uses_host_network,
)
from wherry.kubelet.runtimes.containers import ContainerSpec, Mount
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.sandboxes import Sandbox, SandboxSpec
from wherry.kubelet.termination_message import DEFAULT_PATH, create_message_file, message_file
from wherry.kubelet.volumes.base import SET_UP_TIMEOUT_S, MountedVolume, MountFailure
from wherry.kubelet.workers.container import NodeTerms, container_mounts, container_spec
from wherry.kubelet.workers.context import WorkerContext
from wherry.objects.meta import Object, namespace_of, uid_of

HOSTS_PATH = "/etc/hosts"
FILES_TIMEOUT_S = SET_UP_TIMEOUT_S + 60.0
"""How long the few files the kubelet itself makes may take. They wait for volumes, which say so first."""
RETRY_S = 10.0
SHOW_PULL_ERROR_S = 1.0
"""How long a pull's error is shown before the container is said to be backing off."""


class StartFailure(Exception):
    """The container was not started; reason and message are for its waiting state.

    `retry_s` tells when to try again, None when only a change of the pod can help.
    """

    def __init__(self, reason: str, message: str, retry_s: float | None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_s = retry_s


@dataclass(frozen=True, slots=True)
class Home:
    """Where a pod's containers are started: its sandbox and the host paths of its volumes."""

    sandbox: Sandbox
    spec: SandboxSpec
    volumes: Mapping[str, MountedVolume]

    def ips(self, host_ips: Sequence[str]) -> list[str]:
        """The pod's addresses."""
        return list(host_ips) if self.sandbox.host_network else list(self.sandbox.ips)


def pod_references(pod: Object, volume_references: set[tuple[str, str]]) -> set[tuple[str, str, str]]:
    """Every ConfigMap and Secret the pod uses, as (kind, namespace, name)."""
    found = set(volume_references)
    for container in all_containers(pod):
        found |= references_of(container)
    found |= {("Secret", s["name"]) for s in spec_of(pod).get("imagePullSecrets") or () if s.get("name")}
    return {(kind, namespace_of(pod), name) for kind, name in found}


def container_type(pod: Object, name: str) -> str:
    """Upstream's word for what kind of a pod's containers one is."""
    spec = spec_of(pod)
    for field_name, kind in (
        ("initContainers", "init_container"),
        ("ephemeralContainers", "ephemeral_container"),
    ):
        if any(one["name"] == name for one in spec.get(field_name) or ()):
            return kind
    return "container"


class Starter:
    """Starts containers of any pod of the node."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context

    async def image(self, pod: Object, container: Object) -> Image:
        """The container's image, pulled if need be. Raises StartFailure."""
        try:
            return await self._context.images.ensure(pod, container, self._pull_secrets(pod))
        except ImageFailure as failure:
            raise self._lacks(pod, container, failure) from failure

    def _lacks(self, pod: Object, container: Object, failure: ImageFailure) -> StartFailure:
        self._say(pod, container, "Warning", "Failed", f"Error: {failure.reason}")
        retry_s = SHOW_PULL_ERROR_S if failure.reason == "ErrImagePull" else failure.retry_s
        return StartFailure(failure.reason, failure.message, retry_s)

    async def start(self, pod: Object, start: Start, image: Image, home: Home) -> None:
        """Start the container and run its postStart hook. Raises StartFailure."""
        container = start.container
        for mount in container.get("volumeMounts") or ():
            volume = home.volumes.get(mount["name"])
            if volume is not None and volume.failure is not None:
                raise self._lacks(pod, container, volume.failure)
        spec = await self._configure(pod, start, image, home)
        runtime = self._context.runtime
        try:
            if start.leftover:
                await runtime.remove_container(start.leftover)
            container_id = await to_the_end(runtime.create_container(home.sandbox.id, home.spec, spec))
        except RuntimeFailure as error:
            raise self._failed(pod, container, error.reason or "CreateContainerError", str(error)) from error
        self._say(pod, container, "Normal", "Created", "Container created")
        try:
            await to_the_end(runtime.start_container(container_id))
        except RuntimeFailure as error:
            self._failed(pod, container, "RunContainerError", str(error))
            raise StartFailure("RunContainerError", str(error), 0.0) from error
        self._say(pod, container, "Normal", "Started", "Container started")
        self._context.metrics.started_containers.inc(container_type(pod, container["name"]))
        await self._post_start(pod, container, container_id, home)

    def write_hosts(self, pod: Object, home: Home) -> Path:
        """Write the pod's hosts file; its path. Raises OSError."""
        config = self._context.config
        path = config.pod_dir(uid_of(pod)) / "etc-hosts"
        if uses_host_network(pod):
            text = render_host_network_hosts(pod, config.hosts_file.read_text())
        else:
            text = render_hosts(pod, home.sandbox.ips, config.cluster_domain)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
        return path

    def _pull_secrets(self, pod: Object) -> list[Object]:
        return pull_secrets(pod, lambda name: self._lookup(pod, "Secret", name))

    def _lookup(self, pod: Object, kind: str, name: str) -> Object | None:
        return self._context.references.get(kind, namespace_of(pod), name)

    async def _configure(self, pod: Object, start: Start, image: Image, home: Home) -> ContainerSpec:
        container = start.container
        context = self._context
        around = Surroundings(
            context.host_ips,
            home.ips(context.host_ips),
            context.allocatable(),
            context.services(),
            {name: volume.path for name, volume in home.volumes.items()},
        )
        try:
            devices = await context.devices.options(pod, container)
            render = partial(self._render, pod, start, image, home, around, devices)
            return await context.disk.run(uid_of(pod), render, FILES_TIMEOUT_S)
        except (CannotAllocate, ConfigFailure, MountFailure, NotPrepared, NotYet) as failure:
            raise self._failed(pod, container, "CreateContainerConfigError", str(failure)) from failure
        except OSError as error:
            message = f"{error.strerror or error}: {error.filename or ''}"
            raise self._failed(pod, container, "CreateContainerConfigError", message) from error

    def _render(
        self,
        pod: Object,
        start: Start,
        image: Image,
        home: Home,
        around: Surroundings,
        devices: DeviceOptions,
    ) -> ContainerSpec:
        """The container's spec, its files and sub-paths in place.

        Raises ConfigFailure, MountFailure, OSError.
        """
        container = start.container
        context = self._context
        env = container_environment(pod, container, lambda kind, name: self._lookup(pod, kind, name), around)
        sub_paths = context.config.pod_dir(uid_of(pod)) / "volume-subpaths"
        mounts = container_mounts(
            container,
            home.volumes,
            env,
            context.volumes.mounts,
            sub_paths,
            recursive=context.is_recursive_read_only(spec_of(pod).get("runtimeClassName")),
        )
        taken = {mount.container_path for mount in (*mounts, *devices.mounts)}
        mounts += self._own_mounts(pod, start, taken)
        config = context.config
        terms = NodeTerms(
            context.memory_bytes,
            0 if config.restrict_oom_score else -1000,
            config.seccomp_default,
            context.huge_pages,
        )
        spec = container_spec(pod, start, image, env, mounts, terms, devices)
        placed = context.managers.placed(uid_of(pod), container["name"], spec.resources)
        return replace(spec, resources=placed)

    def _own_mounts(self, pod: Object, start: Start, taken: set[str]) -> list[Mount]:
        """The files the kubelet itself puts into every container."""
        pod_dir = self._context.config.pod_dir(uid_of(pod))
        result = []
        if HOSTS_PATH not in taken:
            result.append(Mount(str(pod_dir / "etc-hosts"), HOSTS_PATH, relabel=True))
        path = start.container.get("terminationMessagePath") or DEFAULT_PATH
        if path not in taken:
            file = message_file(pod_dir, start.container["name"], start.attempt)
            create_message_file(file)
            result.append(Mount(str(file), path, relabel=True))
        return result

    async def _post_start(self, pod: Object, container: Object, container_id: str, home: Home) -> None:
        hook = (container.get("lifecycle") or {}).get("postStart")
        if not hook:
            return
        ips = home.ips(self._context.host_ips)
        try:
            await self._context.hooks.run(hook, container, container_id, ips)
        except HookFailure as failure:
            self._say(pod, container, "Warning", "FailedPostStartHook", "PostStartHook failed")
            self._say(pod, container, "Normal", "Killing", "FailedPostStartHook")
            await self._context.runtime.stop_container(container_id, grace_period_s(pod))
            raise StartFailure("PostStartHookError", str(failure), 0.0) from failure

    def _failed(self, pod: Object, container: Object, reason: str, message: str) -> StartFailure:
        self._say(pod, container, "Warning", "Failed", f"Error: {message}")
        kind = container_type(pod, container["name"])
        self._context.metrics.started_containers_errors.inc(kind, reason)
        return StartFailure(reason, message, RETRY_S)

    def _say(self, pod: Object, container: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        where = field_path(pod, container["name"])
        self._context.recorder.event(pod, kind, reason, message, field_path=where)
