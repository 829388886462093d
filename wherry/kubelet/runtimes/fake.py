"""A runtime that runs nothing: containers are entries in a dict, for tests of everything above it.

It keeps the protocol's promises (attempts, events, errors for what is gone) and lets a test end a
container, lose the sandbox, or make any method fail or wait.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, replace

from wherry.kit.clock import Clock
from wherry.kubelet.runtimes.containers import Container, ContainerSpec, Phase, Resources
from wherry.kubelet.runtimes.failures import NoSuchThing, RuntimeFailure
from wherry.kubelet.runtimes.images import Image, ImageView
from wherry.kubelet.runtimes.runtime import RuntimeEvent, RuntimeStatus
from wherry.kubelet.runtimes.sandboxes import Sandbox, SandboxSpec
from wherry.kubelet.runtimes.streams import ExecResult
from wherry.kubelet.runtimes.usage import ContainerUsage


class FakeRuntime:
    """An in-memory `Runtime`.

    `failures` maps a method's name to errors it raises, one per call; `gates` to an event it waits for.
    `calls` counts calls by method. `pullable` holds what a registry would have. `stop_takes_s` is how
    long a container takes to stop when asked, by container name (it is killed after its grace). While
    `silent`, events are lost. `usages` holds figures of what `<pod>/<container>` uses.
    """

    def __init__(self, clock: Clock, images: Sequence[Image] = ()) -> None:
        self._clock = clock
        self._ids = itertools.count(1)
        self._events: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        self._images = {image.id: image for image in images}
        self._sandboxes: dict[str, Sandbox] = {}
        self._containers: dict[str, Container] = {}
        self.sandbox_specs: dict[str, SandboxSpec] = {}
        self.views: dict[str, str] = {}
        """Ids of the images whose layers are kept, by what for."""
        self.container_specs: dict[str, ContainerSpec] = {}
        self.pullable: dict[str, Image] = {}
        self.failures: dict[str, list[Exception]] = defaultdict(list)
        self.gates: dict[str, asyncio.Event] = {}
        self.calls: dict[str, int] = defaultdict(int)
        self.stopped: list[tuple[str, int]] = []
        self.executed: list[tuple[str, tuple[str, ...]]] = []
        self.exec_results: dict[tuple[str, ...], ExecResult] = {}
        self.stop_takes_s: dict[str, float] = {}
        self.auths: list[Mapping[str, str] | None] = []
        self.reopened: list[str] = []
        self.updated: list[tuple[str, Resources]] = []
        self.image_directory = ""
        self.usages: dict[str, dict[str, int]] = {}
        self.networks: set[str] = set()
        """The sandboxes that have an address; one that dies keeps it until it is stopped."""
        self.silent = False
        self.on_start: Callable[[ContainerSpec], int | None] = lambda _: None
        self.current_status = RuntimeStatus(True, True, "", "containerd", "1.0-fake")

    async def status(self) -> RuntimeStatus:
        await self._enter("status")
        return self.current_status

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        await self._enter("run_sandbox")
        for other in self._sandboxes.values():
            if (other.uid, other.attempt) == (spec.uid, spec.attempt):
                raise RuntimeFailure(f'name "{spec.name}_{spec.attempt}" is reserved for "{other.id}"')
        number = next(self._ids)
        sandbox_id = f"sandbox{number}"
        self.sandbox_specs[sandbox_id] = spec
        self.networks.add(sandbox_id)
        self._sandboxes[sandbox_id] = Sandbox(
            sandbox_id,
            spec.name,
            spec.namespace,
            spec.uid,
            spec.attempt,
            True,
            self._clock.now(),
            () if spec.host_network else (f"10.0.{number // 256}.{number % 256}",),
            spec.host_network,
        )
        self._tell("started", sandbox_id, spec.uid)
        return sandbox_id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        await self._enter("stop_sandbox")
        self.lose_sandbox(sandbox_id)
        self.networks.discard(sandbox_id)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self._enter("remove_sandbox")
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        if sandbox.ready:
            raise RuntimeFailure(f"sandbox {sandbox_id} still runs")
        for container in [c for c in self._containers.values() if c.sandbox_id == sandbox_id]:
            del self._containers[container.id]
        del self._sandboxes[sandbox_id]
        self.networks.discard(sandbox_id)
        self._tell("deleted", sandbox_id, sandbox.uid)

    async def sandboxes(self, pod_uid: str = "") -> list[Sandbox]:
        await self._enter("sandboxes")
        found = [s for s in self._sandboxes.values() if pod_uid in ("", s.uid)]
        return sorted(found, key=lambda s: (s.created, s.attempt), reverse=True)

    async def containers(self, pod_uid: str = "") -> list[Container]:
        await self._enter("containers")
        return [c for c in reversed(self._containers.values()) if pod_uid in ("", self._uid(c))]

    async def create_container(self, sandbox_id: str, sandbox: SandboxSpec, spec: ContainerSpec) -> str:
        await self._enter("create_container")
        if not (found := self._sandboxes.get(sandbox_id)) or not found.ready:
            raise NoSuchThing(f"sandbox {sandbox_id} not found")
        if spec.security.get("privileged") and not self.sandbox_specs[sandbox_id].privileged:
            raise RuntimeFailure("no privileged container allowed in sandbox")
        taken = (spec.name, spec.attempt)
        for other in self._containers.values():
            if (other.name, other.attempt) == taken and self._uid(other) == found.uid:
                raise RuntimeFailure(f'name "{spec.name}_{spec.attempt}" is reserved for "{other.id}"')
        container_id = f"container{next(self._ids)}"
        self.container_specs[container_id] = spec
        self._containers[container_id] = Container(
            id=container_id,
            sandbox_id=sandbox_id,
            name=spec.name,
            attempt=spec.attempt,
            image=spec.image,
            image_id=spec.image,
            phase=Phase.CREATED,
            created=self._clock.now(),
            labels=spec.labels,
            annotations=spec.annotations,
            log_path=f"{sandbox.log_directory}/{spec.log_path}",
            resources=spec.resources,
        )
        return container_id

    async def start_container(self, container_id: str) -> None:
        try:
            await self._enter("start_container")
            container = self._get(container_id)
            code = self.on_start(self.container_specs[container_id])
        except RuntimeFailure:
            if container_id in self._containers:  # as containerd leaves one that does not start
                self.finish(container_id, 128, "StartError")
            raise
        now = self._clock.now()
        self._containers[container_id] = replace(container, phase=Phase.RUNNING, started=now)
        self._tell("started", container_id, self._uid(container))
        if code is not None:
            self.finish(container_id, code)

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        self.stopped.append((container_id, grace_s))
        await self._enter("stop_container")
        container = self._containers.get(container_id)
        if container is None or container.phase is not Phase.RUNNING:
            return
        takes_s = self.stop_takes_s.get(container.name, 0.0)
        if takes_s:
            await self._clock.sleep(min(takes_s, grace_s))
        self.finish(container_id, 137 if takes_s > grace_s else 143)

    async def update_container(self, container_id: str, resources: Resources) -> None:
        await self._enter("update_container")
        container = self._get(container_id)
        self.updated.append((container_id, resources))
        given = {name: figure for name, figure in asdict(resources).items() if figure}
        given.pop("oom_score_adj", None)
        now = replace(container.resources or Resources(), **given)
        self._containers[container_id] = replace(container, resources=now)

    async def remove_container(self, container_id: str) -> None:
        await self._enter("remove_container")
        container = self._containers.pop(container_id, None)
        if container is not None:
            self._tell("deleted", container_id, self._uid(container))

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_s: float) -> ExecResult:
        self.executed.append((container_id, tuple(command)))
        await self._enter("exec_sync")
        if self._get(container_id).phase is not Phase.RUNNING:
            raise NoSuchThing(f"container {container_id} is not running")
        return self.exec_results.get(tuple(command), ExecResult(0, b"", b""))

    async def streaming_url(self, verb: str, container_id: str, options: Mapping[str, object]) -> str:
        await self._enter("streaming_url")
        return f"http://127.0.0.1:1/{verb}/{container_id}"

    async def reopen_log(self, container_id: str) -> None:
        await self._enter("reopen_log")
        self._get(container_id)
        self.reopened.append(container_id)

    async def image(self, reference: str) -> Image | None:
        await self._enter("image")
        images = self._images.values()
        return next((i for i in images if reference == i.id or reference in i.names), None)

    async def images(self) -> list[Image]:
        await self._enter("images")
        return list(self._images.values())

    async def pull_image(self, reference: str, auth: Mapping[str, str] | None = None) -> str:
        self.auths.append(auth)
        await self._enter("pull_image")
        image = self.pullable.get(reference)
        if image is None:
            raise RuntimeFailure(f'failed to resolve reference "{reference}": not found', "ErrImagePull")
        self._images[image.id] = image
        return image.id

    async def remove_image(self, reference: str) -> None:
        await self._enter("remove_image")
        image = await self.image(reference)
        if image is not None:
            del self._images[image.id]

    async def image_filesystem(self) -> str:
        await self._enter("image_filesystem")
        return self.image_directory

    async def view_image(self, reference: str, key: str) -> ImageView:
        await self._enter("view_image")
        image = await self.image(reference)
        if image is None:
            raise NoSuchThing(f'image "{reference}" is not unpacked on this node')
        self.views[key] = image.id
        return ImageView("overlay", "overlay", (f"lowerdir=/layers/{image.id}",))

    async def release_view(self, key: str) -> None:
        await self._enter("release_view")
        self.views.pop(key, None)

    async def usage(self) -> list[ContainerUsage]:
        await self._enter("usage")
        return [self._usage_of(c) for c in self._containers.values() if c.phase is Phase.RUNNING]

    def _usage_of(self, container: Container) -> ContainerUsage:
        sandbox = self._sandboxes[container.sandbox_id]
        return ContainerUsage(
            container_id=container.id,
            name=container.name,
            pod_name=sandbox.name,
            pod_namespace=sandbox.namespace,
            pod_uid=sandbox.uid,
            time=self._clock.now(),
            **self.usages.get(f"{sandbox.name}/{container.name}", {}),
        )

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        self._events.put_nowait(None)

    def finish(self, container_id: str, exit_code: int, reason: str = "") -> None:
        """The container's process ends."""
        container = self._get(container_id)
        self._containers[container_id] = replace(
            container,
            phase=Phase.EXITED,
            finished=self._clock.now(),
            exit_code=exit_code,
            reason=reason or ("Completed" if exit_code == 0 else "Error"),
        )
        self._tell("exited", container_id, self._uid(container))

    def lose_sandbox(self, sandbox_id: str) -> None:
        """The sandbox and what runs in it die."""
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or not sandbox.ready:
            return
        for container in list(self._containers.values()):
            if container.sandbox_id == sandbox_id and container.phase is Phase.RUNNING:
                self.finish(container.id, 137)
        self._sandboxes[sandbox_id] = replace(sandbox, ready=False, ips=())
        self._tell("exited", sandbox_id, sandbox.uid)

    def lose_events(self) -> None:
        """Tell that events may have been missed."""
        self._tell("lost", "", "")

    def find(self, name: str, *, running: bool = True) -> Container:
        """The newest container of that name. Raises KeyError."""
        for container in reversed(self._containers.values()):
            if container.name == name and (not running or container.phase is Phase.RUNNING):
                return container
        raise KeyError(name)

    def names(self, phase: Phase = Phase.RUNNING) -> list[str]:
        """The names of the containers in that phase, sorted."""
        return sorted(c.name for c in self._containers.values() if c.phase is phase)

    async def _enter(self, method: str) -> None:
        self.calls[method] += 1
        gate = self.gates.get(method)
        if gate is not None:
            await gate.wait()
        if self.failures[method]:
            raise self.failures[method].pop(0)

    def _get(self, container_id: str) -> Container:
        try:
            return self._containers[container_id]
        except KeyError:
            raise NoSuchThing(f"container {container_id} not found") from None

    def _uid(self, container: Container) -> str:
        return self._sandboxes[container.sandbox_id].uid if container.sandbox_id in self._sandboxes else ""

    def _tell(self, kind: str, thing_id: str, uid: str) -> None:
        if not self.silent:
            self._events.put_nowait(RuntimeEvent(kind, thing_id, uid))
