"""Carrying out a plan: stop what must go, make the sandbox, start what must run.

What does not depend on each other happens at the same time: volumes, images and the sandbox. Only when
something takes long (a pull) is the worker told to show how far the pod has come.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from wherry.api.node.runtime_classes import RUNTIME_CLASSES
from wherry.kit.tasks import to_the_end
from wherry.kubelet.cgroups import pod_resources
from wherry.kubelet.devices.choosing import CannotAllocate
from wherry.kubelet.devices.device_plugins import NotYet
from wherry.kubelet.devices.dra.usable import NotPrepared
from wherry.kubelet.dns import fall_back_message, falls_back, pod_resolver, read_resolv_conf
from wherry.kubelet.gc import plan_removals, remove_dead
from wherry.kubelet.observation import Observation
from wherry.kubelet.plan import Kill, Plan, Start
from wherry.kubelet.pod import (
    container_hash,
    find_container,
    grace_period_s,
    has_own_users,
    spec_of,
    uses_host_network,
)
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.sandboxes import Sandbox, SandboxSpec
from wherry.kubelet.volumes.base import MountedVolume
from wherry.kubelet.workers.context import WorkerContext
from wherry.kubelet.workers.resizer import Resizer
from wherry.kubelet.workers.sandbox import sandbox_spec
from wherry.kubelet.workers.starter import FILES_TIMEOUT_S, Home, Starter, StartFailure, pod_references
from wherry.kubelet.workers.stopper import Stopper
from wherry.network.resolv_conf import Resolver
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, namespace_of, uid_of

log = logging.getLogger(__name__)

T = TypeVar("T")

NOT_PREPARED = "FailedPrepareDynamicResources"
"""The reason of the event about devices a driver does not prepare."""
RESIZE = "/resize"
"""Key of what went wrong with a resize, beside the names of containers."""
RESIZE_RETRY_S = 10.0


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a container was not started, and in how many seconds to try again (None: not by itself)."""

    reason: str
    message: str
    retry_s: float | None


class Unfit(Exception):
    """The pod cannot run on this node after all: `reason` and `message` are for its status."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(slots=True)
class _Images:
    """Images on their way, by container name."""

    tasks: dict[str, asyncio.Task[Image]] = field(default_factory=dict)

    @property
    def all_there(self) -> bool:
        return all(task.done() for task in self.tasks.values())

    def cancel(self) -> None:
        for task in self.tasks.values():
            task.cancel()


class Builder:
    """Builds one pod up, step by step."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._starter = Starter(context)
        self._stopper = Stopper(context)
        self._resizer = Resizer(context)
        self._volumes: dict[str, MountedVolume] | None = None
        self._changes = 0

    @property
    def is_stale(self) -> bool:
        """Whether the volumes of a pod that runs must be written again."""
        return self._volumes is None

    def volumes_changed(self) -> None:
        """What the volumes show is out of date."""
        self._volumes = None
        self._changes += 1

    async def build(
        self, pod: Object, seen: Observation, plan: Plan, release: Callable[[], None]
    ) -> dict[str, Problem]:
        """Carry `plan` out; the containers that could not be started.

        `release` is called when it takes longer. Raises MountFailure, RuntimeFailure, OSError, Unfit.
        """
        self._require_network(pod)
        if plan.new_sandbox:
            await self._give_devices(pod)
        volume_references = self._context.volumes.references(pod)
        references = pod_references(pod, volume_references)
        if references:
            await self._context.references.hold(uid_of(pod), references)
        await asyncio.gather(*(self._kill(pod, seen, kill) for kill in plan.kill))
        await self._stop_sandboxes(pod, plan)
        problems = await self._resize(pod, seen, plan)
        images = _Images()
        try:
            for start in plan.start:
                work = self._starter.image(pod, start.container)
                images.tasks[start.container["name"]] = asyncio.ensure_future(work)
            if self._volumes is None and self._context.volumes.takes_long(pod):
                release()
            home = await self._home(pod, seen, plan)
            if not images.all_there:
                release()
            problems |= await self._start_all(pod, plan, home, images, release)
        finally:
            images.cancel()
            await asyncio.gather(*images.tasks.values(), return_exceptions=True)
        if plan.sandbox_attempt > 0 or any(start.attempt > 0 for start in plan.start):
            await self._tidy(pod)
        return problems

    async def _resize(self, pod: Object, seen: Observation, plan: Plan) -> dict[str, Problem]:
        """Give what runs the limits it was allocated; by `RESIZE` what stood in the way. Raises OSError."""
        if not plan.resizes:
            return {}
        error = await self._resizer.resize(pod, seen, plan.resize)
        return {RESIZE: Problem("ResizeError", error, RESIZE_RETRY_S)} if error else {}

    def _require_network(self, pod: Object) -> None:
        """Raises RuntimeFailure while no pod can be networked (`SyncPod` of upstream's `pkg/kubelet`)."""
        why = "" if uses_host_network(pod) else self._context.network_error()
        if why:
            message = f"network is not ready: {why}"
            self._context.recorder.event(pod, "Warning", "NetworkNotReady", message)
            raise RuntimeFailure(message)

    async def _give_devices(self, pod: Object) -> None:
        """Have the pod's devices before anything of it is begun. Raises Unfit, RuntimeFailure, OSError."""
        devices, recorder = self._context.devices, self._context.recorder
        try:
            await devices.plugins.allocate(pod)
            await devices.claims.prepare(pod)
        except CannotAllocate as error:
            text = f"Pod was rejected: Allocate failed due to {error}, which is unexpected"
            raise Unfit("UnexpectedAdmissionError", text) from error
        except NotYet as error:
            raise RuntimeFailure(str(error)) from error
        except NotPrepared as error:
            message = f"Failed to prepare dynamic resources: prepare dynamic resources: {error}"
            recorder.event(pod, "Warning", NOT_PREPARED, message)
            raise RuntimeFailure(message) from error

    async def _kill(self, pod: Object, seen: Observation, kill: Kill) -> None:
        context = self._context
        grace_s = grace_period_s(pod)
        if kill.probe:
            probe = (find_container(pod, kill.container.name) or {}).get(f"{kill.probe}Probe") or {}
            grace_s = int(probe.get("terminationGracePeriodSeconds") or grace_s)
        context.probes.stop_container(uid_of(pod), kill.container.id)
        ips = context.host_ips if uses_host_network(pod) else list(seen.ips)
        await self._stopper.stop(pod, kill.container, ips, grace_s, kill.message)

    async def _stop_sandboxes(self, pod: Object, plan: Plan) -> None:
        if plan.new_sandbox and plan.sandbox_attempt > 0:
            message = "Pod sandbox changed, it will be killed and re-created."
            self._context.recorder.event(pod, "Normal", "SandboxChanged", message)
        for sandbox_id in plan.stale_sandboxes:
            await self._context.runtime.stop_sandbox(sandbox_id)

    async def _home(self, pod: Object, seen: Observation, plan: Plan) -> Home:
        """The sandbox with its volumes, both made if need be, at the same time."""
        volumes = asyncio.ensure_future(self._set_up_volumes(pod))
        try:
            spec = await self._sandbox_spec(pod, plan if plan.new_sandbox else None, seen)
            sandbox = seen.sandbox
            if plan.new_sandbox:
                sandbox, spec = await self._make_sandbox(pod, spec)
            else:
                spec = replace(spec, users=self._context.users.known(pod))
            paths = await volumes
        finally:
            if not volumes.done():
                volumes.cancel()
            await asyncio.wait([volumes])
            if not volumes.cancelled():
                volumes.exception()
        if sandbox is None:
            raise RuntimeFailure("the pod's sandbox is gone")
        home = Home(sandbox, spec, paths)
        if plan.new_sandbox:
            await self._on_disk(pod, partial(self._starter.write_hosts, pod, home))
        return home

    async def _set_up_volumes(self, pod: Object) -> dict[str, MountedVolume]:
        if self._volumes is not None and not any(one.failure for one in self._volumes.values()):
            return self._volumes
        context = self._context
        namespace = namespace_of(pod)
        changes = self._changes
        volumes = await context.volumes.set_up(
            pod,
            lambda kind, name: context.references.get(kind, namespace, name),
            context.allocatable(),
        )
        if changes == self._changes:  # else what was read is out of date already: it is done again
            self._volumes = volumes
        return volumes

    async def _on_disk(self, pod: Object, work: Callable[[], T]) -> T:
        """Do some work on the pod's own files, beside the event loop. Raises OSError."""
        return await self._context.disk.run(uid_of(pod), work, FILES_TIMEOUT_S)

    async def _sandbox_spec(self, pod: Object, fresh: Plan | None, seen: Observation) -> SandboxSpec:
        config = self._context.config
        cgroups = self._context.cgroups

        def prepare() -> tuple[str, Resolver | None]:
            parent = self._make_cgroup(pod) if fresh is not None else cgroups.path(pod)
            return parent, read_resolv_conf(config.resolv_conf)

        if fresh is not None:
            # Written before anything is started by it.
            self._context.allocations.actuate_pod(pod)
            await self._context.allocations.save(uid_of(pod))
            await self._context.managers.save()
        parent, host = await self._on_disk(pod, prepare)
        resolver = pod_resolver(pod, host, config.cluster_dns, config.cluster_domain)
        if fresh is not None and falls_back(pod, config.cluster_dns):
            self._context.recorder.event(pod, "Warning", "MissingClusterDNS", fall_back_message(pod))
        attempt = fresh.sandbox_attempt if fresh is not None else 0
        if fresh is None and seen.sandbox is not None:
            attempt = seen.sandbox.attempt
        return sandbox_spec(pod, attempt, config, resolver, parent)

    def _make_cgroup(self, pod: Object) -> str:
        began = perf_counter()
        try:
            return self._context.cgroups.create(
                pod, self._context.managers.without_quota(pod, pod_resources(pod))
            )
        finally:
            self._context.metrics.cgroup_manager.observe(perf_counter() - began, "create")

    async def _make_sandbox(self, pod: Object, spec: SandboxSpec) -> tuple[Sandbox, SandboxSpec]:
        """The new sandbox, and what it was made from in the end. Raises RuntimeFailure, OSError."""
        try:
            handler = await self._runtime_handler(pod)
            users = await self._context.users.of(pod, handler, self._context.runtime_status())
            spec = replace(spec, runtime_handler=handler, users=users)
            return await self._run_sandbox(pod, spec), spec
        except RuntimeFailure as error:
            self._context.metrics.started_pods_errors.inc()
            if has_own_users(pod):
                self._context.metrics.started_user_namespaced_pods_errors.inc()
            message = f"Failed to create pod sandbox: {error}"
            self._context.recorder.event(pod, "Warning", "FailedCreatePodSandBox", message)
            raise

    async def _runtime_handler(self, pod: Object) -> str:
        """What the pod's RuntimeClass is called at the runtime, which refuses names it does not know."""
        name = spec_of(pod).get("runtimeClassName")
        if not name:
            return ""
        try:
            found = await self._context.client.get(RUNTIME_CLASSES, name)
        except ApiError as error:
            raise RuntimeFailure(f"failed to lookup RuntimeClass {name}: {error.message}") from error
        handler: str = found.get("handler") or ""
        return handler

    async def _run_sandbox(self, pod: Object, spec: SandboxSpec) -> Sandbox:
        runtime = self._context.runtime
        logs = Path(spec.log_directory)
        await self._on_disk(pod, partial(logs.mkdir, parents=True, exist_ok=True))
        sandbox_id = await to_the_end(runtime.run_sandbox(spec))
        sandboxes = await runtime.sandboxes(uid_of(pod))
        found = next((s for s in sandboxes if s.id == sandbox_id), None)
        if found is None:
            raise RuntimeFailure(f"sandbox {sandbox_id} vanished after it was made")
        self._context.metrics.started_pods.inc()
        if spec.users is not None:
            self._context.metrics.started_user_namespaced_pods.inc()
        return found

    async def _start_all(
        self, pod: Object, plan: Plan, home: Home, images: _Images, release: Callable[[], None]
    ) -> dict[str, Problem]:
        """Start the planned containers: one after the other when a postStart hook orders them."""
        ordered = any((s.container.get("lifecycle") or {}).get("postStart") for s in plan.start)
        problems: dict[str, Problem] = {}

        async def start_one(start: Start) -> None:
            name = start.container["name"]
            try:
                image = await images.tasks[name]
                if start.ended is not None:
                    key = f"{uid_of(pod)}/{name}/{container_hash(start.container)}"
                    self._context.back_off.advance(key, start.ended)
                if ordered:
                    release()
                await self._starter.start(pod, start, image, home)
            except StartFailure as failure:
                problems[name] = Problem(failure.reason, failure.message, failure.retry_s)

        if ordered:
            for start in plan.start:
                await start_one(start)
        else:
            await asyncio.gather(*(start_one(start) for start in plan.start))
        return problems

    async def _tidy(self, pod: Object) -> None:
        """Forget runs and sandboxes nobody will ask for again."""
        runtime = self._context.runtime
        uid = uid_of(pod)
        sandboxes, containers = await asyncio.gather(runtime.sandboxes(uid), runtime.containers(uid))
        removals = plan_removals(sandboxes, containers)
        if removals:
            await remove_dead(runtime, removals)
