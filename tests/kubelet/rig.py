"""A node agent with a fake runtime against a real API server in memory, time moved by hand.

`wherry.cluster.node_assembly` puts a node's parts together; of these a `Node` runs the kubelet alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from tests.apiserver.rig import Rig, account, running
from tests.conftest import eventually
from tests.kubelet.paper import PaperBackend, PaperLand
from wherry.api.core.events import EVENTS
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.user import User
from wherry.client.api import Client
from wherry.cluster.identities import DNS, PROXY
from wherry.cluster.node_assembly import NodeClients, NodeParts, NodePartsConfig
from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk, Disk, DiskThreads
from wherry.kubelet.agent import Kubelet
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.eviction.signals import (
    MEMORY,
    NODE_DISK,
    NODE_INODES,
    PIDS,
    Observation,
    Observations,
    Signal,
)
from wherry.kubelet.host import Host
from wherry.kubelet.machine import Machine
from wherry.kubelet.probes.result import Outcome, ProbeResult
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.images import Image, ImageView
from wherry.kubelet.topology.layout import Layout
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

NODE = "node-1"
AGENT = User(f"system:node:{NODE}", ("system:nodes", "system:authenticated"))
NODE_PROXY = User(PROXY.user, ("system:authenticated",))
NODE_DNS = User(DNS.user, ("system:authenticated",))
IMAGE = Image("sha256:" + "a" * 64, ("docker.io/library/nginx:1.27", "nginx:1.27"), 1234)
MACHINE = Machine(
    hostname=NODE,
    cpus=2,
    memory_kib=4 * 1024 * 1024,
    disk_bytes=100 * 1024**3,
    machine_id="m" * 32,
    system_uuid="s",
    boot_id="b",
    kernel="6.1.0",
    os_image="Debian GNU/Linux 12 (bookworm)",
    architecture="amd64",
)

PLENTY: Observations = {
    MEMORY: Observation(3 << 30, 4 << 30),
    NODE_DISK: Observation(50 << 30, 100 << 30),
    NODE_INODES: Observation(500_000, 1_000_000),
    PIDS: Observation(30_000, 32_768),
}


@dataclass
class FakeMounts:
    """A mount table on paper. A new memory file system has the mode the kernel's would have."""

    mounted: list[Path] = field(default_factory=list)
    sizes: dict[Path, int] = field(default_factory=dict)
    pages: dict[Path, int] = field(default_factory=dict)

    def tmpfs(self, target: Path, size_bytes: int = 0) -> bool:
        if target in self.mounted:
            return False
        target.chmod(0o755)
        self.mounted.append(target)
        self.sizes[target] = size_bytes
        return True

    def huge_pages(self, target: Path, page_bytes: int, size_bytes: int = 0) -> bool:
        self.pages[target] = page_bytes
        return self.tmpfs(target, size_bytes)

    def image(self, target: Path, view: ImageView) -> None:
        if target not in self.mounted:
            self.mounted.append(target)

    def bind(self, source: Path, target: Path) -> None:
        self.mounted.append(target)

    def unmount(self, target: Path) -> None:
        if target in self.mounted:
            self.mounted.remove(target)

    def below(self, directory: Path) -> list[Path]:
        return [p for p in reversed(self.mounted) if p == directory or directory in p.parents]


@dataclass
class FakeProber:
    """Answers probes by container name and kind of action; success unless told otherwise."""

    answers: dict[str, ProbeResult] = field(default_factory=dict)
    tries: list[str] = field(default_factory=list)

    async def probe(
        self, probe: Object, spec: Object, container_id: str, pod_ips: Sequence[str]
    ) -> ProbeResult:
        path = (probe.get("httpGet") or {}).get("path", "")
        self.tries.append(f"{spec['name']}{path}")
        return self.answers.get(f"{spec['name']}{path}", ProbeResult(Outcome.SUCCESS))


@dataclass
class Node:
    """A running agent and everything around it."""

    rig: Rig
    clock: FakeClock
    runtime: FakeRuntime
    config: KubeletConfig
    kubelet: Kubelet
    mounts: FakeMounts
    prober: FakeProber
    left: dict[Signal, Observation]
    """What is left of the machine's resources."""
    inhibitor: Any = None

    @property
    def admin(self) -> Client:
        return self.rig.admin

    async def create(self, name: str, container: Object | None = None, **spec: Any) -> Object:
        """A pod bound to the node, with one container unless `containers` are given."""
        body: Object = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", **spec.pop("metadata", {})},
            "spec": {
                "nodeName": NODE,
                "automountServiceAccountToken": False,
                "containers": [{"name": "web", "image": "nginx:1.27", **(container or {})}],
                **spec,
            },
        }
        return await self.admin.create(PODS, body)

    async def pod(self, name: str) -> Object:
        return await self.admin.get(PODS, name, "default")

    async def status(self, name: str) -> Object:
        status: Object = (await self.pod(name)).get("status") or {}
        return status

    async def gone(self, name: str) -> bool:
        try:
            await self.pod(name)
        except ApiError as error:
            return error.code == 404
        return False

    async def until(self, name: str, check: Callable[[Object], Any]) -> Object:
        """The pod's status once `check` holds for it."""
        last: Object = {}

        async def holds() -> bool:
            nonlocal last
            last = await self.status(name)
            return bool(check(last))

        try:
            await eventually(holds)
        except AssertionError:
            raise AssertionError(f"status stays {last}") from None
        return last

    async def ready(self, name: str) -> Object:
        return await self.until(name, is_ready)

    async def ready_mirror(self, name: str) -> Object:
        """The status of a static pod's mirror, once it is there and ready."""
        await eventually(partial(self._is_there, name))
        return await self.ready(name)

    async def _is_there(self, name: str) -> bool:
        return not await self.gone(name)

    async def ready_in_time(self, name: str) -> None:
        """Return once the pod is ready, while a tenth of a second passes with each look.

        For what is tried again some time after a failure: from outside nothing tells when that time
        begins to run.
        """

        async def look() -> bool:
            await self.clock.advance(0.1)
            return is_ready(await self.status(name))

        await eventually(look)

    async def restart(self) -> None:
        """Put another agent in the place of this one, as after a crash: what runs goes on."""
        await self.kubelet.close()
        self.kubelet = make_kubelet(
            *(self.rig, self.config, self.runtime, self.clock, self.mounts, self.prober, self.left),
            *(None, None, self.inhibitor),
        )
        await self.kubelet.start()

    async def events(self) -> list[tuple[str, str]]:
        """(reason, message) of every event about pods."""
        listing = await self.admin.list(EVENTS)
        return [(e["reason"], e["message"]) for e in listing.items if e["involvedObject"]["kind"] == "Pod"]

    async def said(self, reason: str, message: str) -> None:
        """Wait until an event says so."""

        async def there() -> bool:
            return (reason, message) in await self.events()

        try:
            await eventually(there)
        except AssertionError:
            raise AssertionError(f"events are {await self.events()}") from None


def is_ready(status: Object) -> bool:
    """Whether the Ready condition is true."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())


def state(status: Object, index: int = 0, kind: str = "containerStatuses") -> Object:
    """A container's state."""
    statuses = status.get(kind) or []
    found: Object = statuses[index]["state"] if len(statuses) > index else {}
    return found


def waiting(status: Object, index: int = 0, kind: str = "containerStatuses") -> str:
    """Why a container waits, "" when it does not."""
    reason: str = (state(status, index, kind).get("waiting") or {}).get("reason", "")
    return reason


def make_parts(
    rig: Rig,
    config: KubeletConfig,
    runtime: FakeRuntime,
    clock: FakeClock,
    mounts: Any,
    prober: Any,
    left: Observations = PLENTY,
    disk: Disk | None = None,
    land: PaperLand | None = None,
    inhibitor: Any = None,
    machine: Callable[[], Machine] = lambda: MACHINE,
    agent: User = AGENT,
    layout: Callable[[], Layout] | None = None,
) -> NodeParts:
    """A node's parts, none of which has started."""
    clients = NodeClients(kubelet=rig.client(agent), proxy=rig.client(NODE_PROXY), dns=rig.client(NODE_DNS))
    host = Host(
        mounts=mounts,
        prober=prober,
        machine=machine,
        layout=layout,
        look=lambda *_: dict(left),
        disk=DirectDisk() if disk is None else disk,
        inhibitor=inhibitor,
        oom_log=_no_log,
    )
    ground = PaperLand(runtime) if land is None else land
    told = NodePartsConfig(kubelet=config)
    return NodeParts(told, clients, runtime, lambda _: ground, PaperBackend(), clock, Random(1), host)


def _no_log() -> int:
    """The kernel's log of a machine that has none: what really happens concerns no test."""
    raise FileNotFoundError


def make_kubelet(*parts: Any, **more: Any) -> Kubelet:
    """The kubelet of `make_parts`."""
    return make_parts(*parts, **more).kubelet


@asynccontextmanager
async def node(
    tmp_path: Path,
    *,
    mounts: FakeMounts | None = None,
    threads: bool = False,
    starts: bool = True,
    inhibitor: Any = None,
    machine: Callable[[], Machine] = lambda: MACHINE,
    layout: Layout | None = None,
    **changes: Any,
) -> AsyncIterator[Node]:
    """An agent that runs while the block does; with `threads` its files are written in threads.

    One that does not start at once is the block's to start.
    """
    clock = FakeClock()
    async with running(clock, listens=False) as rig:
        await rig.admin.create(SERVICE_ACCOUNTS, account())
        (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.53\nsearch example.org\n")
        config = KubeletConfig(
            node_name=NODE,
            node_ip="192.0.2.1",
            root_dir=tmp_path / "kubelet",
            log_dir=tmp_path / "logs",
            resolv_conf=tmp_path / "resolv.conf",
            cgroup_mount=tmp_path / "cgroup",
            **{"serves_plugins": False, **changes},
        )
        runtime = FakeRuntime(clock, [IMAGE])
        mounts, prober = mounts or FakeMounts(), FakeProber()
        left = dict(PLENTY)
        disk = DiskThreads(clock) if threads else None
        kubelet = make_kubelet(
            rig,
            config,
            runtime,
            clock,
            mounts,
            prober,
            left,
            disk,
            None,
            inhibitor,
            machine,
            layout=None if layout is None else lambda: layout,
        )
        made = Node(rig, clock, runtime, config, kubelet, mounts, prober, left, inhibitor)
        try:
            if starts:
                await kubelet.start()
            yield made
        finally:
            await made.kubelet.close()
