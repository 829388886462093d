"""One look at what everything on the node uses (`Sampler`), shared by all who ask within a second.

Which containers there are comes from the runtime, what they use from their cgroups and their network
namespaces, read beside the event loop. Nobody asks, nothing is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kit.tasks import shared
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.runtimes.sandboxes import Sandbox
from wherry.kubelet.server.cgroup_usage import CgroupUse, read_usage
from wherry.kubelet.server.network_usage import InterfaceUse, read_interfaces

OLDEST_S = 1.0
"""A sample is handed out again for so long."""
READ_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class ContainerFigures:
    """One running container: `cgroup` is its path, `use` None when that was not to be found."""

    container: Container
    cgroup: str
    use: CgroupUse | None


@dataclass(frozen=True, slots=True)
class PodFigures:
    """One pod with a sandbox that is up; `sandbox_use` is of the process that holds it."""

    sandbox: Sandbox
    cgroup: str
    use: CgroupUse | None
    sandbox_use: CgroupUse | None
    containers: Sequence[ContainerFigures] = ()
    interfaces: Sequence[InterfaceUse] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """Everything at `time`.

    `above` are the cgroups pods lie in, by path: the machine's, all pods', the classes'.
    """

    time: datetime
    pods: Sequence[PodFigures] = ()
    above: Mapping[str, CgroupUse] = field(default_factory=dict)
    node_interfaces: Sequence[InterfaceUse] = ()


class Sampler:
    """Takes samples of one node."""

    def __init__(self, runtime: Runtime, config: KubeletConfig, clock: Clock, disk: Disk) -> None:
        self._runtime = runtime
        self._config = config
        self._clock = clock
        self._disk = disk
        self._known: dict[bool, tuple[float, Sample]] = {}
        self._taking: dict[bool, asyncio.Task[Sample]] = {}

    async def sample(self, *, is_whole: bool = True) -> Sample:
        """A sample at most a second old; without `is_whole` of cpu and memory alone.

        Raises RuntimeFailure, OSError.
        """
        known = self._known.get(is_whole)
        if known is not None and self._clock.monotonic() - known[0] < OLDEST_S:
            return known[1]
        task = self._taking.get(is_whole)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._take(is_whole=is_whole))
            self._taking[is_whole] = task
            task.add_done_callback(lambda done: self._taken(done, is_whole=is_whole))
        return await shared(task, "a sample of what is used")

    def _taken(self, task: asyncio.Task[Sample], *, is_whole: bool) -> None:
        self._taking.pop(is_whole, None)
        if not task.cancelled() and task.exception() is None:
            self._known[is_whole] = (self._clock.monotonic(), task.result())

    async def close(self) -> None:
        """Give up what is being read."""
        tasks = list(self._taking.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _take(self, *, is_whole: bool) -> Sample:
        sandboxes, containers = await asyncio.gather(self._runtime.sandboxes(), self._runtime.containers())
        up = [sandbox for sandbox in sandboxes if sandbox.ready]
        running: dict[str, list[Container]] = {}
        for container in containers:
            if container.phase is Phase.RUNNING:
                running.setdefault(container.sandbox_id, []).append(container)
        read = partial(self._read, up, running, is_whole=is_whole)
        return await self._disk.run("what cgroups use", read, READ_TIMEOUT_S)

    def _read(
        self, sandboxes: Sequence[Sandbox], running: Mapping[str, Sequence[Container]], *, is_whole: bool
    ) -> Sample:
        mount, root = self._config.cgroup_mount, self._config.cgroup_root
        levels = (root, f"{root}/burstable", f"{root}/besteffort")
        above = ((path, read_usage(mount, path)) for path in ("/", *levels)) if is_whole else ()
        proc = self._config.proc_dir
        return Sample(
            time=self._clock.now(),
            pods=[
                self._read_pod(levels, sandbox, running.get(sandbox.id, ()), is_whole=is_whole)
                for sandbox in sandboxes
            ],
            above={path: use for path, use in above if use is not None},
            node_interfaces=read_interfaces(proc) if is_whole else (),
        )

    def _read_pod(
        self, levels: Iterable[str], sandbox: Sandbox, containers: Sequence[Container], *, is_whole: bool
    ) -> PodFigures:
        mount = self._config.cgroup_mount
        for level in levels:
            path = f"{level}/pod{sandbox.uid}"
            use = read_usage(mount, path, is_whole=is_whole)
            if use is not None:
                break
        else:
            path, use = "", None
        with_network = is_whole and not sandbox.host_network and bool(path)
        return PodFigures(
            sandbox=sandbox,
            cgroup=path,
            use=use,
            sandbox_use=read_usage(mount, f"{path}/{sandbox.id}") if is_whole and path else None,
            containers=[
                ContainerFigures(
                    container,
                    f"{path}/{container.id}",
                    read_usage(mount, f"{path}/{container.id}", is_whole=is_whole) if path else None,
                )
                for container in containers
            ],
            interfaces=self._read_network(f"{path}/{sandbox.id}") if with_network else (),
        )

    def _read_network(self, cgroup: str) -> Sequence[InterfaceUse]:
        for mount in (self._config.cgroup_mount / "pids", self._config.cgroup_mount):
            try:
                first = (mount / cgroup.strip("/") / "cgroup.procs").read_text().split(maxsplit=1)
            except OSError:
                continue
            if first:
                return read_interfaces(self._config.proc_dir, first[0])
        return ()


def device_name(device: str, sysfs: Path = Path("/sys")) -> str:
    """`/dev/NAME` of a block device "MAJOR:MINOR", or that when it has no name."""
    try:
        return f"/dev/{(sysfs / 'dev/block' / device).readlink().name}"
    except OSError:
        return device
