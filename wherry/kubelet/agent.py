"""The node agent, put together: `Kubelet`.

The watch of this node's pods and the runtime's events are all that drives it. At start everything is
listed once, so containers that ran on while the agent was away are adopted as they are, and what is left
of pods that went meanwhile is cleaned up.
"""

from __future__ import annotations

import asyncio
import logging
from random import Random

from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.events import EventRecorder
from wherry.kit.clock import Clock, Timer
from wherry.kit.tasks import Tasks
from wherry.kubelet.backoff import BackOff
from wherry.kubelet.cgroups import PodCgroups
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.hooks import Hooks
from wherry.kubelet.images import Images
from wherry.kubelet.logs import find_log, rotate_log
from wherry.kubelet.machine import Machine, read_machine
from wherry.kubelet.probes.http import HttpProber
from wherry.kubelet.probes.prober import NetworkProber
from wherry.kubelet.probes.runner import Prober, Probes
from wherry.kubelet.references import References
from wherry.kubelet.registration import Registration
from wherry.kubelet.runtimes.base import (
    POD_NAME,
    POD_NAMESPACE,
    POD_UID,
    Phase,
    Runtime,
    RuntimeFailure,
)
from wherry.kubelet.status_writer import StatusWriter
from wherry.kubelet.volumes.base import Mounts
from wherry.kubelet.volumes.mounts import SystemMounts
from wherry.kubelet.volumes.pod_volumes import PodVolumes
from wherry.kubelet.volumes.tokens import Tokens
from wherry.kubelet.workers.context import WorkerContext
from wherry.kubelet.workers.pool import PodWorkers
from wherry.objects.meta import Object

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 5.0
LOG_CHECK_S = 10.0


class Kubelet:
    """Runs the pods bound to one node.

    `client` speaks as the node, `runtime` runs containers. `mounts`, `prober` and `machine` are the
    real ones unless given.
    """

    def __init__(
        self,
        config: KubeletConfig,
        client: Client,
        runtime: Runtime,
        clock: Clock,
        random: Random,
        *,
        mounts: Mounts | None = None,
        prober: Prober | None = None,
        machine: Machine | None = None,
    ) -> None:
        self.config = config
        self._client = client
        self._runtime = runtime
        self._clock = clock
        self._random = random
        self._mounts = mounts
        self._prober = prober
        self._machine = machine
        self._http = HttpProber()
        self._recorder = EventRecorder(client, clock, "kubelet", config.node_name)
        self._cache = Cache(client, clock, random=random)
        self._tasks = Tasks("kubelet")
        self._log_timer: Timer | None = None
        self._context: WorkerContext | None = None
        self._workers: PodWorkers | None = None
        self._registration: Registration | None = None

    async def start(self) -> None:
        """Register the node and take its pods over; returns when every pod has a worker.

        Waits for the API server. Raises ApiError when the node may not register, RuntimeFailure when
        there is no runtime, OSError when the root directory cannot be used.
        """
        self.config.root_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.config.log_dir.mkdir(parents=True, exist_ok=True)
        machine = self._machine or read_machine(self.config.root_dir, self.config.proc_dir)
        self._registration = Registration(
            self.config, self._client, self._runtime, self._clock, self._recorder, machine
        )
        status = await self._runtime.status()
        await self._registration.register()
        self._context = self._make_context(machine, self._registration, status.name or "containerd")
        self._workers = PodWorkers(self._context)
        self._cache.add(PODS, field_selector=f"spec.nodeName={self.config.node_name}")
        self._cache.add(SERVICES)
        await self._cache.start()
        self._cache.on(PODS, self._workers.changed)
        self._tasks.spawn(self._follow_runtime(self._workers), "runtime events")
        self._check_logs()

    def pods(self) -> list[Object]:
        """The pods bound to this node, as the API server shows them."""
        return list(self._cache.list(PODS)) if self._workers is not None else []

    async def close(self) -> None:
        """Stop; containers run on and the next agent adopts them."""
        if self._log_timer is not None:
            self._log_timer.cancel()
        await self._tasks.close()
        await self._cache.close()
        context = self._context
        if self._workers is not None:
            await self._workers.close()
        if context is not None:
            await context.probes.close()
            await context.images.close()
            await context.references.close()
            await context.statuses.close()
        if self._registration is not None:
            await self._registration.close()
        await self._http.close()
        await self._recorder.close()

    def _make_context(self, machine: Machine, registration: Registration, runtime_name: str) -> WorkerContext:
        config, client, clock = self.config, self._client, self._clock
        tokens = Tokens(client, clock)
        mounts = self._mounts or SystemMounts()
        prober = self._prober or NetworkProber(self._runtime, self._http)
        return WorkerContext(
            config=config,
            client=client,
            runtime=self._runtime,
            clock=clock,
            recorder=self._recorder,
            images=Images(self._runtime, clock, self._recorder, config.parallel_pulls),
            volumes=PodVolumes(config.root_dir, mounts, tokens, self._recorder, clock),
            tokens=tokens,
            references=References(client, clock, self._object_changed),
            probes=Probes(clock, prober, self._recorder, self._probe_changed),
            hooks=Hooks(self._runtime, clock, self._http),
            cgroups=PodCgroups(config.cgroup_mount, config.cgroup_root, config.pod_pids_limit),
            back_off=BackOff(clock),
            statuses=StatusWriter(client, clock),
            services=lambda: self._cache.list(SERVICES),
            allocatable=registration.allocatable,
            memory_bytes=machine.memory_bytes,
            runtime_name=runtime_name,
        )

    def _object_changed(self, pod_uid: str) -> None:
        if self._workers is not None:
            self._workers.object_changed(pod_uid)

    def _probe_changed(self, pod_uid: str) -> None:
        if self._workers is not None:
            self._workers.poke(pod_uid)

    async def _follow_runtime(self, workers: PodWorkers) -> None:
        """Hand the runtime's events on; whenever some may have been missed, look at everything."""
        retry_s = FIRST_RETRY_S
        while True:
            try:
                await self._follow_once(workers)
                retry_s = FIRST_RETRY_S
                log.warning("the runtime's events ended")
            except (RuntimeFailure, OSError) as error:
                log.warning("the runtime does not answer: %s", error)
            if self._registration is not None:
                self._registration.check()
            await self._clock.sleep(retry_s * (0.5 + self._random.random()))
            retry_s = min(retry_s * 2, LONGEST_RETRY_S)

    async def _follow_once(self, workers: PodWorkers) -> None:
        """Follow until the runtime goes away. Events are asked for before everything is looked at."""
        events = self._runtime.events()
        upcoming = asyncio.ensure_future(anext(events, None))
        try:
            await workers.look_at_all()
            while (event := await upcoming) is not None:
                upcoming = asyncio.ensure_future(anext(events, None))
                if event.kind == "lost":
                    await workers.look_at_all()
                else:
                    workers.happened(event)
        finally:
            upcoming.cancel()
            await asyncio.wait([upcoming])

    def _check_logs(self) -> None:
        """Look at the sizes of logs now and then: nothing tells when a file grows."""
        self._tasks.spawn(self._rotate_logs(), "logs")
        self._log_timer = self._clock.call_later(LOG_CHECK_S, self._check_logs)

    async def _rotate_logs(self) -> None:
        config = self.config
        try:
            containers = await self._runtime.containers()
        except RuntimeFailure as error:
            log.info("logs not looked at: %s", error)
            return
        for container in containers:
            if container.phase is not Phase.RUNNING:
                continue
            labels = container.labels
            pod_dir = config.pod_log_dir(
                labels.get(POD_NAMESPACE, ""), labels.get(POD_NAME, ""), labels.get(POD_UID, "")
            )
            path = find_log(container, pod_dir)
            await rotate_log(
                self._runtime,
                container,
                path,
                self._clock.now(),
                config.log_max_bytes,
                config.log_max_files,
            )
