"""The pages of figures: `/metrics`, those below it, and `/stats/summary`.

What they tell is looked up when somebody asks, beside the event loop, and rendered in portions of a family.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs

from wherry.kit.clock import Clock
from wherry.kit.httpd.message import Request, Response
from wherry.kit.metrics import Family, Metric, Sample
from wherry.kit.portions import Work, others
from wherry.kit.process_metrics import ProcessMetrics
from wherry.kubelet.machine import read_processes
from wherry.kubelet.runtimes.containers import Phase
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.operations import Counted
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.runtimes.usage import Meter
from wherry.kubelet.server.about import About
from wherry.kubelet.server.answers import METRICS, NOT_THERE, NotServed, json_of
from wherry.kubelet.server.cadvisor import cadvisor_page
from wherry.kubelet.server.health import Health
from wherry.kubelet.server.network_usage import default_interface
from wherry.kubelet.server.node_usage import NodeUsage, Rates, read_disk, read_node_usage
from wherry.kubelet.server.resource_page import resource_page
from wherry.kubelet.server.sample import READ_TIMEOUT_S, Sampler, device_name
from wherry.kubelet.server.sample import Sample as Everything
from wherry.kubelet.server.summary import Look, NodeFacts, summarize
from wherry.objects.meta import Object, uid_of

_LINES = 500
"""So many lines are rendered, then others have their turn."""


class Figures:
    """The pages of one node. `own` gives what the server counts about itself."""

    def __init__(
        self,
        runtime: Runtime,
        pods: Callable[[], Sequence[Object]],
        about: About,
        health: Health,
        clock: Clock,
        own: Callable[[], Iterable[Metric]],
    ) -> None:
        self._runtime = runtime
        self._pods = pods
        self._about = about
        self._health = health
        self._clock = clock
        self._own = own
        self._rates = Rates()
        self._sampler = Sampler(runtime, about.config, clock, about.disk)
        self._began = clock.now()

    async def close(self) -> None:
        """Give up what is being read."""
        await self._sampler.close()

    async def metrics(self, request: Request) -> Response:
        """`/metrics[/PAGE]`. Raises NotServed, RuntimeFailure, OSError."""
        pages = {
            "": self._agent,
            "cadvisor": self._cadvisor,
            "resource": self._resource,
            "probes": self._probes,
            "slis": self._slis,
        }
        page = pages.get(request.path.removeprefix("/metrics").strip("/"))
        if page is None:
            raise NotServed("404 page not found\n", 404)
        return await _rendered(await page())

    async def summary(self, request: Request) -> Response:
        """`/stats/summary[?only_cpu_and_memory=true]`. Raises NotServed, RuntimeFailure, OSError."""
        if request.path.rstrip("/") != "/stats/summary":
            raise NotServed(NOT_THERE, 404)
        is_short = parse_qs(request.query).get("only_cpu_and_memory", [""])[0].lower() in ("1", "t", "true")
        facts, sample = await self._facts(is_short=is_short), await self._sampler.sample()
        return json_of(summarize(facts, sample, self._rates, only_cpu_and_memory=is_short))

    async def _facts(self, *, is_short: bool) -> NodeFacts:
        runtime, config = self._runtime, self._about.config
        images, directory, uses = 0, "", {}
        if not is_short:
            directory = await runtime.image_filesystem()
            images = sum(image.size_bytes for image in await runtime.images())
            if isinstance(runtime, Meter):
                pods = list(self._pods())
                uses = dict(await self._about.gauge.measure(pods, disk_of=map(uid_of, pods)))
        read = partial(self._look, Path(directory) if directory else config.root_dir)
        return NodeFacts(
            name=config.node_name,
            look=await self._about.disk.run("what the machine uses", read, READ_TIMEOUT_S),
            image_bytes=images,
            pods_cgroup=config.cgroup_root,
            agent=_own_use(),
            agent_began=self._began,
            uses=uses,
        )

    def _look(self, image_dir: Path) -> Look:
        config = self._about.config
        return Look(
            usage=self._node(),
            processes=read_processes(config.proc_dir),
            disk=read_disk(config.root_dir),
            image_disk=read_disk(image_dir),
            interface=default_interface(config.proc_dir),
            began=_boot_time(config.proc_dir),
        )

    def _node(self) -> NodeUsage:
        return read_node_usage(self._clock.now(), self._about.config.proc_dir)

    async def _cadvisor(self) -> list[Metric]:
        sample = await self._sampler.sample()
        devices = {device: device_name(device) for device in _devices(sample)}
        return cadvisor_page(sample, self._about.machine(), devices)

    async def _resource(self) -> list[Metric]:
        sample: Everything | None
        try:
            sample = await self._sampler.sample(is_whole=False)
        except (RuntimeFailure, OSError):
            sample = None
        return resource_page(sample, self._node())

    async def _probes(self) -> list[Metric]:
        metrics = self._about.metrics
        return [metrics.probes, metrics.probe_duration, ProcessMetrics()]

    async def _slis(self) -> list[Metric]:
        results = [Sample((name, ""), float(fine)) for name, fine in sorted(self._health.results.items())]
        counts = [
            Sample((name, "success" if fine else "error", ""), count)
            for (name, fine), count in sorted(self._health.counts.items())
        ]
        return [
            Family(
                "kubernetes_healthcheck",
                "gauge",
                "[STABLE] This metric records the result of a single healthcheck.",
                ("name", "type"),
                results,
            ),
            Family(
                "kubernetes_healthchecks_total",
                "counter",
                "[STABLE] This metric records the results of all healthcheck.",
                ("name", "status", "type"),
                counts,
            ),
            ProcessMetrics(),
        ]

    async def _agent(self) -> list[Metric]:
        containers, sandboxes = await asyncio.gather(self._runtime.containers(), self._runtime.sandboxes())
        states = Counter(container.phase for container in containers)
        running = [
            Sample((phase.value,), states[phase]) for phase in (Phase.CREATED, Phase.EXITED, Phase.RUNNING)
        ]
        return [
            *self._about.gauges(),
            Family(
                "kubelet_running_pods",
                "gauge",
                "[ALPHA] Number of pods that have a running pod sandbox",
                (),
                [Sample((), sum(sandbox.ready for sandbox in sandboxes))],
            ),
            Family(
                "kubelet_running_containers",
                "gauge",
                "[ALPHA] Number of containers currently running",
                ("container_state",),
                running,
            ),
            *self._about.metrics.own(),
            *(self._runtime.operations.metrics() if isinstance(self._runtime, Counted) else ()),
            *self._own(),
            ProcessMetrics(),
        ]


async def _rendered(metrics: Iterable[Metric]) -> Response:
    pieces: list[str] = []
    for metric in metrics:
        for line in metric.lines():
            pieces.append(line)
            if len(pieces) % _LINES == 0:
                await others(Work.NODE)
    return Response("\n".join([*pieces, ""]).encode(), content_type=METRICS)


def _devices(sample: Everything) -> set[str]:
    uses = [*sample.above.values()]
    uses += [one.use for pod in sample.pods for one in pod.containers if one.use is not None]
    uses += [use for pod in sample.pods for use in (pod.use, pod.sandbox_use) if use is not None]
    return {device for use in uses for device in use.io}


def _own_use() -> tuple[int, int]:
    """Processor time in ns and resident memory in bytes of this process."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round((own.ru_utime + own.ru_stime) * 1e9), pages * os.sysconf("SC_PAGE_SIZE")


def _boot_time(proc: Path) -> datetime:
    for line in (proc / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return datetime.fromtimestamp(int(line.split()[1]), UTC)
    return datetime.fromtimestamp(0, UTC)
