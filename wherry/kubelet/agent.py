"""The node agent, put together: `Kubelet`.

The watch of this node's pods, the sources of static pods and the runtime's events are all that drives it. At
start everything is listed once, so containers that ran on while the agent was away are adopted as they are,
and what is left of pods that went meanwhile is cleaned up, once every source of pods was read. Static pods
wait for no API server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from random import Random

from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.events import EventLog, EventRecorder
from wherry.client.request_metrics import CountedRequests
from wherry.kit.backoff import FIRST_DELAY_S, BackOff
from wherry.kit.clock import Clock
from wherry.kit.disk import Disk, DiskThreads
from wherry.kit.metrics import Metric
from wherry.kit.repeat import Repeater, Work
from wherry.kit.tasks import Tasks
from wherry.kubelet.allocation.allocations import Allocations
from wherry.kubelet.cgroups import PodCgroups
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.credential_plugins.plugins import CredentialPlugins
from wherry.kubelet.devices.device_plugins import Listeners
from wherry.kubelet.devices.node_devices import NodeDevices
from wherry.kubelet.devices.topology import DeviceHints
from wherry.kubelet.eviction.manager import CHECK_S as EVICTION_CHECK_S
from wherry.kubelet.eviction.manager import Eviction, Surroundings
from wherry.kubelet.eviction.usage import Gauge
from wherry.kubelet.eviction.verdict import Verdict
from wherry.kubelet.gauges import agent_gauges
from wherry.kubelet.gc import remove_all_dead
from wherry.kubelet.hooks import Hooks
from wherry.kubelet.host import Host
from wherry.kubelet.image_gc import COLLECT_S, ImageGc
from wherry.kubelet.image_pulls.keeper import PullRecords
from wherry.kubelet.image_pulls.policy import verification
from wherry.kubelet.image_pulls.pulls import PullRate, Pulls
from wherry.kubelet.images import Images
from wherry.kubelet.logs import LogRotation
from wherry.kubelet.machine import Machine, read_machine
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.node import node_reference
from wherry.kubelet.oom import OomWatcher
from wherry.kubelet.pod import as_from_api, is_terminal
from wherry.kubelet.probes.http import HttpProber
from wherry.kubelet.probes.prober import NetworkProber
from wherry.kubelet.probes.runner import Probes
from wherry.kubelet.references import References
from wherry.kubelet.registration import Registration
from wherry.kubelet.relist import Relist
from wherry.kubelet.runtime_state import CHECK_S, RuntimeState
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.server.about import About
from wherry.kubelet.shutdown.graceful import GracefulShutdown
from wherry.kubelet.shutdown.logind import Logind
from wherry.kubelet.static_pods.mirrors import Mirrors, is_mirror
from wherry.kubelet.static_pods.static_pods import StaticPods
from wherry.kubelet.status_writer import StatusWriter
from wherry.kubelet.topology.layout import Layout, read_layout
from wherry.kubelet.topology.managers import Managers
from wherry.kubelet.users import UserRanges
from wherry.kubelet.volumes.base import VolumeHost
from wherry.kubelet.volumes.images import VolumeImages
from wherry.kubelet.volumes.mounts import SystemMounts
from wherry.kubelet.volumes.pod_certificates import PodCertificates
from wherry.kubelet.volumes.pod_volumes import PodVolumes
from wherry.kubelet.volumes.projects import Projects
from wherry.kubelet.volumes.tokens import Tokens
from wherry.kubelet.volumes.trust_bundles import TrustBundles
from wherry.kubelet.workers.context import WorkerContext
from wherry.kubelet.workers.pool import PodWorkers
from wherry.objects.meta import Object, uid_of

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 5.0
MACHINE_CHECK_S = 60.0
MACHINE_TIMEOUT_S = 10.0


class Kubelet:
    """Runs the pods bound to one node.

    `client` speaks as the node, `runtime` runs containers. The `host` is the real one unless given.
    """

    def __init__(
        self,
        config: KubeletConfig,
        client: Client,
        runtime: Runtime,
        clock: Clock,
        random: Random,
        host: Host | None = None,
    ) -> None:
        host = host or Host()
        self.config = config
        self._client = client
        self._runtime = runtime
        self._clock = clock
        self._random = random
        self.metrics = KubeletMetrics()
        self._mounts = host.mounts
        self._prober = host.prober
        self._machine: Machine | None = None
        self._read_machine = partial(_machine_of, host, config)
        self._read_layout = partial(_layout_of, host, config)
        self._look = host.look
        self._oom_log = host.oom_log
        self._ooms: OomWatcher | None = None
        self._inhibitor = host.inhibitor or Logind()
        self._disk: Disk = DiskThreads(clock) if host.disk is None else host.disk
        self._gauge = Gauge(runtime, config, clock, self._disk)
        must_verify = verification(config.credentials_policy, config.credentials_allowlist)
        self._pull_records = PullRecords(config.root_dir, must_verify, self._disk, clock)
        self._http = HttpProber()
        self._recorder: EventRecorder | EventLog = (
            EventLog() if config.is_standalone else EventRecorder(client, clock, "kubelet", config.node_name)
        )
        self._cache = Cache(client, clock, random=random)
        self._tasks = Tasks("kubelet")
        self._repeaters: list[Repeater] = []
        self._relist: Relist | None = None
        self._eviction: Eviction | None = None
        self._state: RuntimeState | None = None
        self._lacks_network = False
        self._state_check: Repeater | None = None
        self._context: WorkerContext | None = None
        self._workers: PodWorkers | None = None
        self._registration: Registration | None = None
        self._shutdown: GracefulShutdown | None = None
        self._mirrors: Mirrors | None = None
        self._static: StaticPods | None = None
        self._relisting: Repeater | None = None
        self._is_synced = self._has_static = False

    async def start(self) -> None:
        """Register the node and take its pods over; returns when every pod has a worker.

        Waits for the API server, while static pods run already. Raises ApiError when the node may not
        register, RuntimeFailure or TimeoutError when there is no runtime, OSError when the root directory
        cannot be used.
        """
        config = self.config
        config.root_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        config.log_dir.mkdir(parents=True, exist_ok=True)
        machine = self._machine = self._read_machine()
        state = RuntimeState(self._runtime, self._clock, self._pleg_error, self._readiness_changed)
        await state.check()
        self._state, self._lacks_network = state, bool(state.network_error())
        registration = Registration(
            config,
            self._client,
            state,
            self._clock,
            self._recorder,
            machine,
            self._pressure,
            self._shutdown_error,
            self._device_amounts,
        )
        self._registration = registration
        self._shutdown = shutdown = self._make_shutdown(machine)
        await shutdown.start()
        await self._pull_records.load(self._runtime.images)
        self._context = context = self._make_context(machine, registration, state)
        await context.allocations.load()
        plugins = context.devices.plugins
        await context.managers.load(
            self._read_layout, machine.memory_bytes, lambda layout: [DeviceHints(plugins, layout.nodes)]
        )
        await context.devices.load()
        await context.users.load()
        self._workers = workers = PodWorkers(context)
        self._relist = relist = Relist(self._runtime, workers, self._clock, self.metrics)
        self._cache.add(PODS, field_selector=f"spec.nodeName={config.node_name}")
        self._cache.add(SERVICES)
        self._mirrors = Mirrors(self._client, self._clock, context.statuses, lambda: registration.node)
        self._static = StaticPods(
            config, self._runtime, workers, self._mirrors, self._disk, self._clock, self._static_known
        )
        await context.devices.start()
        await self._static.start()
        self._state_check = self._repeat("runtime check", state.check, longest_s=CHECK_S)
        self._relisting = relisting = self._repeat("relist", relist.look, longest_s=LONGEST_RETRY_S)
        follow = partial(self._follow_runtime, workers, relist, relisting)
        self._repeat("runtime events", follow, longest_s=LONGEST_RETRY_S)
        look = partial(self._look_at_machine, registration, workers)
        self._repeat("size of the machine", look, longest_s=MACHINE_CHECK_S)
        logs = LogRotation(self._runtime, config, self._clock, self._disk)
        self._repeat("log rotation", logs.check, longest_s=config.log_check_s)
        self._defend(workers)
        placing = self._repeat(
            "processors of containers",
            partial(context.managers.reconcile, self._runtime),
            longest_s=config.managers.reconcile_s,
        )
        context.managers.changed = placing.hurry
        if config.is_standalone:
            self._is_synced = True
            self._sources_checked()
            return
        await registration.register()
        await self._cache.start()
        self._cache.on(PODS, self._pod_changed)
        self._is_synced = True
        self._mirrors.synced()
        self._sources_checked()

    async def _look_at_machine(self, registration: Registration, workers: PodWorkers) -> float:
        """Follow processors, memory and disks that come or go. Raises OSError."""
        machine = await self._disk.run("machine", self._read_machine, MACHINE_TIMEOUT_S)
        if registration.machine_is(machine):
            log.info("the machine has %d CPUs and %d KiB now", machine.cpus, machine.memory_kib)
            self._machine = machine
            workers.room()
        return MACHINE_CHECK_S

    def _make_shutdown(self, machine: Machine) -> GracefulShutdown:
        """Who ends the pods when the machine goes down."""

        def pods() -> list[Object]:
            return [pod for pod in self.pods() if not is_terminal(pod)]

        def end(pod: Object, verdict: Verdict) -> None:
            if self._workers is not None:
                self._workers.evict(pod, verdict)

        async def ended(pod: Object) -> None:
            if self._workers is not None:
                await self._workers.ended(pod)

        return GracefulShutdown(
            self.config,
            self._inhibitor,
            pods,
            end,
            ended,
            boot_id=machine.boot_id,
            node=node_reference(self.config.node_name),
            recorder=self._recorder,
            clock=self._clock,
            disk=self._disk,
            on_change=self._readiness_changed,
        )

    def _shutdown_error(self) -> str:
        return self._shutdown.error() if self._shutdown is not None else ""

    def _static_known(self) -> None:
        self._has_static = True
        self._sources_checked()

    def _sources_checked(self) -> None:
        """Once every source of pods was read, what is left of others is not needed any more."""
        if not (self._is_synced and self._has_static):
            return
        if self._context is not None and self._workers is not None:
            self._context.allocations.all_admitted()
            self._context.managers.keep_only({uid_of(pod) for pod in self.pods()})
            self._workers.all_known()
            self._context.devices.all_known()
        if self._shutdown is not None:
            self._shutdown.all_known()
        if self._relist is not None and self._relisting is not None:
            self._relist.everything()
            self._relisting.hurry()

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        """The API server shows another pod of this node: one to run, or the mirror of a static one."""
        if self._mirrors is None or self._workers is None:
            return
        mirrors = [pod for pod in (old, new) if pod is not None and is_mirror(pod)]
        if mirrors:
            self._mirrors.changed(old, new)
            return
        self._workers.changed(*(pod and as_from_api(pod) for pod in (old, new)))

    def _defend(self, workers: PodWorkers) -> None:
        """Begin to remove what nobody uses, and to evict pods when the node runs short."""
        config, runtime, clock, recorder = self.config, self._runtime, self._clock, self._recorder
        node = node_reference(config.node_name)
        images = ImageGc(
            runtime, config, clock, recorder, node, self._disk, self._pull_records, metrics=self.metrics
        )

        async def reclaim() -> None:
            await remove_all_dead(runtime)
            await images.remove_unused()

        around = Surroundings(
            pods=self.pods, evict=workers.evict, reclaim=reclaim, on_change=self._readiness_changed
        )
        self._eviction = eviction = Eviction(
            config, runtime, clock, recorder, node, around, self._disk, self._gauge, self._look, self.metrics
        )
        self._ooms = OomWatcher(recorder, node, self._oom_log)
        self._ooms.start()
        self._repeat("image garbage collection", images.collect, longest_s=COLLECT_S)
        self._repeat("eviction", eviction.check, longest_s=EVICTION_CHECK_S)

    def _pressure(self) -> Sequence[str]:
        return self._eviction.conditions() if self._eviction is not None else ()

    def _pleg_error(self) -> str:
        return self._relist.error() if self._relist is not None else ""

    def _readiness_changed(self) -> None:
        if self._registration is not None:
            self._registration.check()
        if self._state is None or self._workers is None:
            return
        lacked, self._lacks_network = self._lacks_network, bool(self._state.network_error())
        if lacked and not self._lacks_network:
            self._workers.try_again_all()

    def pods(self) -> list[Object]:
        """The pods bound to this node: static ones, and others as the API server shows them."""
        if self._workers is None:
            return []
        bound = (as_from_api(pod) for pod in self._cache.list(PODS) if not is_mirror(pod))
        return [*self._workers.static_pods(), *bound]

    def network_changed(self) -> None:
        """The runtime has another network for pods, or its first: ask it at once how it is."""
        if self._state_check is not None:
            self._state_check.hurry()

    def move_to(self, node_ip: str) -> None:
        """The node goes by another address from now on; containers are left as they are."""
        if self._registration is not None:
            self._registration.move_to(node_ip)
        if self._workers is not None:
            self._workers.poke_all()

    def about(self) -> About:
        """What the server of this agent is told of it."""

        def machine() -> Machine:
            return self._machine or self._read_machine()

        return About(
            config=self.config,
            machine=machine,
            disk=self._disk,
            gauge=self._gauge,
            metrics=self.metrics,
            gauges=self._gauges,
            sync_error=self._pleg_error,
        )

    def _gauges(self) -> Iterator[Metric]:
        resizes = self._context.allocations.statuses() if self._context is not None else ()
        claims = self._context.devices.claims.in_use() if self._context is not None else {}
        yield from agent_gauges(self.config, self.pods(), resizes, claims)
        transport = self._client.transport
        if isinstance(transport, CountedRequests):
            yield from transport.requests.metrics()

    @property
    def workers(self) -> int:
        """How many pods have a worker: those that run, and those that are still being removed."""
        return len(self._workers) if self._workers is not None else 0

    async def close(self) -> None:
        """Stop; containers run on and the next agent adopts them."""
        if self._ooms is not None:
            self._ooms.close()
        for repeater in self._repeaters:
            await repeater.close()
        await self._tasks.close()
        await self._cache.close()
        context = self._context
        if self._shutdown is not None:
            await self._shutdown.close()
        if self._static is not None:
            await self._static.close()
        if self._workers is not None:
            await self._workers.close()
        if self._mirrors is not None:  # after those who tell it what is gone
            await self._mirrors.close()
        if context is not None:
            await context.probes.close()
            await context.images.close()
            await context.references.close()
            await context.volumes.close()
            await context.devices.close()
            await context.statuses.close()
        if self._registration is not None:
            await self._registration.close()
        await self._http.close()
        await self._recorder.close()

    def _make_context(
        self, machine: Machine, registration: Registration, state: RuntimeState
    ) -> WorkerContext:
        config, client, clock = self.config, self._client, self._clock
        tokens = Tokens(client, clock)
        images = self._make_images()
        volume_host = self._volume_host(tokens, images)
        prober = self._prober or NetworkProber(self._runtime, self._http)
        managers = Managers(config, self._disk, clock, self.metrics)
        return WorkerContext(
            config=config,
            client=client,
            runtime=self._runtime,
            clock=clock,
            recorder=self._recorder,
            images=images,
            volumes=PodVolumes(config.root_dir, volume_host, self._recorder),
            disk=self._disk,
            tokens=tokens,
            references=References(client, clock, self._object_changed),
            probes=Probes(clock, prober, self._recorder, self._probe_changed, self.metrics),
            hooks=Hooks(self._runtime, clock, self._http),
            allocations=Allocations(config.pods_dir, self._disk),
            devices=NodeDevices(
                config,
                client,
                self._disk,
                clock,
                self.metrics,
                machine.boot_id,
                Listeners(registration.check, self._probe_changed, managers.near),
                self.pods,
                self._is_here,
                managers,
            ),
            managers=managers,
            cgroups=PodCgroups(config.cgroup_mount, config.cgroup_root, config.pod_pids_limit),
            back_off=_restarts(config, clock),
            statuses=StatusWriter(client, clock, self.metrics),
            metrics=self.metrics,
            services=lambda: self._cache.list(SERVICES),
            allocatable=partial(self._admissible, registration),
            pressure=self._pressure,
            node_ip=lambda: registration.node_ip,
            network_error=state.network_error,
            shutdown_objection=lambda: self._shutdown.objection() if self._shutdown is not None else None,
            runtime_status=lambda: state.status,
            users=UserRanges(config.pods_dir, self._disk, config.ids_per_pod, config.max_pods),
            is_recursive_read_only=state.is_recursive_read_only,
            memory_bytes=machine.memory_bytes,
            huge_pages=tuple(size for size, count in sorted(machine.huge_pages.items()) if count),
            runtime_name=(state.status.name if state.status is not None else "") or "containerd",
        )

    def _is_here(self, pod_uid: str) -> bool:
        """Whether something of the pod may run on this node."""
        return self._workers is not None and self._workers.knows(pod_uid)

    def _device_amounts(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """How many devices there are, and how many of them pods may have."""
        if self._context is None:
            return {}, {}
        plugins = self._context.devices.plugins
        return plugins.capacity(), plugins.allocatable()

    def _admissible(self, registration: Registration) -> Mapping[str, str]:
        """What pods may have of the node."""
        devices = self._context.devices.plugins.admissible() if self._context is not None else {}
        return registration.allocatable() | {name: str(amount) for name, amount in devices.items()}

    def _make_images(self) -> Images:
        """Who has images on the node, and may use which."""
        config, runtime, clock = self.config, self._runtime, self._clock
        rate = PullRate(clock, config.pulls_per_second, config.pulls_burst)
        plugins = CredentialPlugins(config.credential_providers, self._client, clock, self.metrics)
        pulls = Pulls(runtime, clock, rate, config.parallel_pulls)
        return Images(runtime, clock, self._recorder, self._pull_records, plugins, pulls, self.metrics)

    def _volume_host(self, tokens: Tokens, images: Images) -> VolumeHost:
        client, clock, changed = self._client, self._clock, self._object_changed
        random = self._random
        node_name, recorder = self.config.node_name, self._recorder
        return VolumeHost(
            mounts=self._mounts or SystemMounts(),
            disk=self._disk,
            clock=clock,
            tokens=tokens,
            trust=TrustBundles(client, clock, random, changed),
            certificates=PodCertificates(client, clock, self._disk, recorder, random, node_name, changed),
            images=VolumeImages(images, self._runtime),
            allows_git=self.config.git_repo_volumes,
            projects=Projects() if self.config.quota_monitoring else None,
        )

    def _object_changed(self, pod_uid: str) -> None:
        if self._workers is not None:
            self._workers.object_changed(pod_uid)

    def _probe_changed(self, pod_uid: str) -> None:
        if self._workers is not None:
            self._workers.poke(pod_uid)

    def _repeat(self, name: str, work: Work, *, longest_s: float) -> Repeater:
        """Begin doing `work`, and do it again whenever it says and whenever it failed."""
        repeater = Repeater(
            name,
            work,
            self._tasks,
            self._clock,
            first_s=FIRST_RETRY_S,
            longest_s=longest_s,
            expected=(RuntimeFailure, TimeoutError, OSError),
            random=self._random,
        )
        self._repeaters.append(repeater)
        repeater.poke()
        return repeater

    async def _follow_runtime(self, workers: PodWorkers, relist: Relist, relisting: Repeater) -> float:
        """Hand the runtime's events on until they end; whenever some may be missing, look at everything.

        Events are asked for before everything is looked at, so nothing happens unseen between the two.
        Raises RuntimeFailure.
        """
        began = self._clock.monotonic()
        events = self._runtime.events()
        upcoming = asyncio.ensure_future(anext(events, None))
        relist.everything()
        relisting.hurry()
        try:
            while (event := await upcoming) is not None:
                upcoming = asyncio.ensure_future(anext(events, None))
                if event.kind == "lost":
                    relist.everything()
                    relisting.hurry()
                else:
                    workers.happened(event)
        finally:
            upcoming.cancel()
            await asyncio.wait([upcoming])
        log.warning("the runtime's events ended")
        if self._state_check is not None:
            self._state_check.hurry()
        if self._clock.monotonic() - began < LONGEST_RETRY_S:
            raise RuntimeFailure("the runtime's events ended as soon as they began")
        return FIRST_RETRY_S


def _machine_of(host: Host, config: KubeletConfig) -> Machine:
    """The machine as it is now. Raises OSError."""
    if host.machine is not None:
        return host.machine()
    return read_machine(config.root_dir, config.proc_dir)


def _layout_of(host: Host, config: KubeletConfig) -> Layout:
    """How the machine is laid out. Raises OSError."""
    if host.layout is not None:
        return host.layout()
    return read_layout(memory_bytes=_machine_of(host, config).memory_bytes)


def _restarts(config: KubeletConfig, clock: Clock) -> BackOff:
    """How long containers that fail wait before they start again."""
    longest_s = config.restart_longest_s
    return BackOff(clock, min(FIRST_DELAY_S, longest_s), longest_s)
