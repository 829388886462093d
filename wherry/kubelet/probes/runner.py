"""When probes are made, and what their results mean for a container.

Every probe of a running container has a timer of its own; nothing ticks for containers without probes.
Liveness and readiness wait for the startup probe. A result counts once it was seen as often as its
threshold says; a change that counts is told at once through `on_change(pod_uid)`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from wherry.client.events import Recorder
from wherry.kit.clock import Clock, Timer
from wherry.kit.tasks import Tasks
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.observation import Health
from wherry.kubelet.pod import field_path
from wherry.kubelet.probes.result import Outcome, ProbeResult
from wherry.kubelet.runtimes.containers import Container
from wherry.objects.meta import Object, name_of, namespace_of, uid_of

log = logging.getLogger(__name__)

RESULTS = {
    Outcome.SUCCESS: "successful",
    Outcome.WARNING: "successful",
    Outcome.FAILURE: "failed",
    Outcome.UNKNOWN: "unknown",
}
KINDS = ("startup", "liveness", "readiness")


class Prober(Protocol):
    """Makes one try of one probe."""

    async def probe(
        self, probe: Object, spec: Object, container_id: str, pod_ips: Sequence[str]
    ) -> ProbeResult: ...


@dataclass(slots=True)
class _Probe:
    kind: str
    config: Object
    passed: bool | None = None
    streak: int = 0
    last: bool | None = None
    timer: Timer | None = None
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Probed:
    """One running container with its probes."""

    pod: Object
    spec: Object
    container: Container
    ips: Sequence[str]
    probes: dict[str, _Probe] = field(default_factory=dict)


class Probes:
    """Probes of every container on the node."""

    def __init__(
        self,
        clock: Clock,
        prober: Prober,
        recorder: Recorder,
        on_change: Callable[[str], None],
        metrics: KubeletMetrics | None = None,
    ) -> None:
        self._clock = clock
        self._prober = prober
        self._recorder = recorder
        self._on_change = on_change
        self._metrics = metrics or KubeletMetrics()
        self._probed: dict[str, dict[str, _Probed]] = {}
        self._tasks = Tasks("probes")

    def follow(
        self,
        pod: Object,
        running: Sequence[tuple[Object, Container]],
        ips: Sequence[str],
        *,
        healthy_before: Callable[[str, Container], tuple[bool, bool]],
    ) -> None:
        """Probe exactly these containers of the pod (their spec and state).

        `healthy_before` gives (ready, started) of a container met for the first time, as the API
        server knows it: containers adopted after the agent's restart keep their standing.
        """
        uid = uid_of(pod)
        known = self._probed.setdefault(uid, {})
        current = {container.id for _, container in running}
        for container_id in known.keys() - current:
            self._drop(known.pop(container_id))
        for spec, container in running:
            if container.id in known:
                known[container.id].pod = pod
                known[container.id].ips = ips
                continue
            probed = _Probed(pod, spec, container, ips)
            ready, started = healthy_before(spec["name"], container)
            for kind in KINDS:
                config = spec.get(f"{kind}Probe")
                if config:
                    probe = _Probe(kind, config)
                    if kind == "startup" and started:
                        probe.passed = True
                    if kind == "readiness" and ready:
                        probe.passed = True
                    probed.probes[kind] = probe
            known[container.id] = probed
            self._begin(probed)
        if not known:
            self._probed.pop(uid, None)

    def forget(self, pod_uid: str) -> None:
        """Probe nothing of the pod any more."""
        for probed in self._probed.pop(pod_uid, {}).values():
            self._drop(probed)
            self._metrics.forget_pod(pod_uid, namespace_of(probed.pod), name_of(probed.pod))

    def stop_container(self, pod_uid: str, container_id: str) -> None:
        """The container is being stopped for a failed probe: its liveness asks no more."""
        probed = self._probed.get(pod_uid, {}).get(container_id)
        if probed is not None:
            for kind in ("startup", "liveness"):
                probe = probed.probes.get(kind)
                if probe is not None:
                    _cancel(probe)

    def health(self, pod_uid: str) -> Health:
        """What counts of the pod's probes now."""
        ready: set[str] = set()
        started: set[str] = set()
        failed: dict[str, str] = {}
        for container_id, probed in self._probed.get(pod_uid, {}).items():
            for kind, probe in probed.probes.items():
                if kind == "readiness" and probe.passed:
                    ready.add(container_id)
                elif kind == "startup" and probe.passed:
                    started.add(container_id)
                if kind in ("liveness", "startup") and probe.passed is False:
                    failed[container_id] = kind
        return Health(frozenset(ready), frozenset(started), failed)

    async def close(self) -> None:
        """End every probe."""
        for uid in list(self._probed):
            self.forget(uid)
        await self._tasks.close()

    def _begin(self, probed: _Probed) -> None:
        startup = probed.probes.get("startup")
        if startup is not None and not startup.passed:
            self._schedule(probed, startup, self._first_delay_s(probed, startup))
            return
        for kind in ("liveness", "readiness"):
            probe = probed.probes.get(kind)
            if probe is not None and probe.timer is None and probe.task is None:
                self._schedule(probed, probe, self._first_delay_s(probed, probe))

    def _first_delay_s(self, probed: _Probed, probe: _Probe) -> float:
        initial = float(probe.config.get("initialDelaySeconds") or 0)
        began: datetime = probed.container.started or probed.container.created
        left_s = initial - (self._clock.now() - began).total_seconds()
        return min(max(0.0, left_s), initial)  # a clock that was set back makes nobody wait longer

    def _schedule(self, probed: _Probed, probe: _Probe, delay_s: float) -> None:
        if delay_s <= 0:
            self._fire(probed, probe)
        else:
            probe.timer = self._clock.call_later(delay_s, lambda: self._fire(probed, probe))

    def _fire(self, probed: _Probed, probe: _Probe) -> None:
        probe.timer = None
        probe.task = self._tasks.spawn(self._try(probed, probe), f"{probe.kind} of {probed.container.name}")

    async def _try(self, probed: _Probed, probe: _Probe) -> None:
        began = self._clock.monotonic()
        try:
            result = await self._ask(probed, probe)
            self._note(probed, probe, result, self._clock.monotonic() - began)
            self._say(probed, probe, result)
            if result.outcome is not Outcome.UNKNOWN:
                self._count(probed, probe, succeeded=result.succeeded)
        finally:
            # Whatever came of it, the next try is due; unless this one was cancelled: then nobody asks.
            if probe.task is asyncio.current_task():
                probe.task = None
                self._schedule_next(probed, probe, self._clock.monotonic() - began)

    async def _ask(self, probed: _Probed, probe: _Probe) -> ProbeResult:
        try:
            return await self._prober.probe(probe.config, probed.spec, probed.container.id, probed.ips)
        except Exception as error:
            log.exception("%s probe of container %s", probe.kind, probed.container.name)
            return ProbeResult(Outcome.UNKNOWN, str(error) or type(error).__name__)

    def _note(self, probed: _Probed, probe: _Probe, result: ProbeResult, took_s: float) -> None:
        """Count a try."""
        kind = probe.kind.capitalize()
        who = (probed.container.name, name_of(probed.pod), namespace_of(probed.pod))
        self._metrics.probes.inc(kind, RESULTS[result.outcome], *who, uid_of(probed.pod))
        self._metrics.probe_duration.observe(took_s, kind, *who)

    def _schedule_next(self, probed: _Probed, probe: _Probe, spent_s: float) -> None:
        period_s = float(probe.config.get("periodSeconds") or 10)
        done = probe.kind == "startup" and probe.passed is not None
        if not done and not (probe.kind == "liveness" and probe.passed is False):
            self._schedule(probed, probe, max(0.0, period_s - spent_s))

    def _count(self, probed: _Probed, probe: _Probe, *, succeeded: bool) -> None:
        probe.streak = probe.streak + 1 if probe.last == succeeded else 1
        probe.last = succeeded
        name, default = ("successThreshold", 1) if succeeded else ("failureThreshold", 3)
        if probe.streak < int(probe.config.get(name) or default):
            return
        before = probe.passed
        probe.passed = succeeded
        if before == succeeded or (before is None and probe.kind == "readiness" and not succeeded):
            return
        if probe.kind == "startup" and succeeded:
            self._begin(probed)
        if probe.kind != "liveness" or not succeeded:
            self._on_change(uid_of(probed.pod))

    def _say(self, probed: _Probed, probe: _Probe, result: ProbeResult) -> None:
        name = probe.kind.capitalize()
        texts = {
            Outcome.FAILURE: ("Unhealthy", f"{name} probe failed: {result.output}"),
            Outcome.WARNING: ("ProbeWarning", f"{name} probe warning: {result.output}"),
            Outcome.UNKNOWN: (
                "Unhealthy",
                f"{name} probe errored and resulted in unknown state: {result.output}",
            ),
        }
        if result.outcome in texts:
            reason, message = texts[result.outcome]
            where = field_path(probed.pod, probed.container.name)
            self._recorder.event(probed.pod, "Warning", reason, message, field_path=where)

    def _drop(self, probed: _Probed) -> None:
        for probe in probed.probes.values():
            _cancel(probe)


def _cancel(probe: _Probe) -> None:
    if probe.timer is not None:
        probe.timer.cancel()
        probe.timer = None
    if probe.task is not None:
        probe.task.cancel()
        probe.task = None
