"""The rounds: look at what is left, free what nobody needs, evict at most one pod for pressure.

Upstream's `managerImpl.synchronize` (`pkg/kubelet/eviction/eviction_manager.go`). Looking costs a few
system calls; what pods use is measured only when something runs short, or of pods with limits on disk.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wherry.client.events import Recorder
from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.eviction.limits import find_excess, is_limited
from wherry.kubelet.eviction.messages import REASON, eviction_message
from wherry.kubelet.eviction.ranking import is_critical, rank_pods
from wherry.kubelet.eviction.shortage import Shortage, Thresholds
from wherry.kubelet.eviction.signals import (
    Observe,
    Pressure,
    Signal,
    format_amount,
    observe,
)
from wherry.kubelet.eviction.usage import Gauge, Uses
from wherry.kubelet.eviction.verdict import Verdict
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.pod import is_terminal
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.objects.meta import Object, is_deleting, key_of, uid_of

log = logging.getLogger(__name__)

CHECK_S = 10.0
LOOK_TIMEOUT_S = 10.0
CLEAN_UP_S = 30.0
"""How long an evicted pod is waited for before another one goes."""
GRACE_S = 1
"""Upstream's `immediateEvictionGracePeriodSeconds`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What eviction asks and tells the rest of the agent.

    `pods` gives the pods of the node; `evict` ends one, whether it was still up; `reclaim` frees what nobody
    needs on the disk; `on_change` hears that the pressure conditions changed.
    """

    pods: Callable[[], Sequence[Object]]
    evict: Callable[[Object, Verdict], bool]
    reclaim: Callable[[], Awaitable[None]]
    on_change: Callable[[], None]


class Eviction:
    """Evicts pods of one node. `node` is what events about pressure are about."""

    def __init__(
        self,
        config: KubeletConfig,
        runtime: Runtime,
        clock: Clock,
        recorder: Recorder,
        node: Object,
        around: Surroundings,
        disk: Disk,
        gauge: Gauge,
        look: Observe = observe,
        metrics: KubeletMetrics | None = None,
    ) -> None:
        self._config = config
        self._runtime = runtime
        self._clock = clock
        self._recorder = recorder
        self._node = node
        self._around = around
        self._disk = disk
        self._look = look
        self._metrics = metrics or KubeletMetrics()
        self._thresholds = Thresholds(config)
        self._gauge = gauge
        self._pressure = Pressure(config.eviction_transition_s)
        self._shown: list[str] = []
        self._image_dir: Path | None = None
        self._awaited: tuple[str, float] | None = None

    def conditions(self) -> list[str]:
        """The pressure conditions of the node that are true."""
        return self._pressure.conditions(self._clock.monotonic())

    async def check(self) -> float:
        """One round; when to do the next, in seconds. Raises RuntimeFailure, OSError."""
        short = await self._observe()
        self._pressure.note(short.shown, self._clock.monotonic())
        if self.conditions() != self._shown:
            self._shown = self.conditions()
            self._around.on_change()
        active = [pod for pod in self._around.pods() if not is_terminal(pod) and not is_deleting(pod)]
        if not await self._enforce_limits(active) and short.met and not self._is_awaiting(active):
            await self._relieve(short, active)
        return CHECK_S

    async def _observe(self) -> Shortage:
        if self._image_dir is None:
            try:
                told = await self._runtime.image_filesystem()
                self._image_dir = Path(told) if told else None
            except RuntimeFailure as error:
                log.info("the disk of images is not known yet: %s", error)
        config = self._config
        look = partial(self._look, config.root_dir, self._image_dir, config.proc_dir)
        seen = await self._disk.run("signals of eviction", look, LOOK_TIMEOUT_S)
        return self._thresholds.judge(seen, self._clock.monotonic())

    async def _enforce_limits(self, active: Sequence[Object]) -> bool:
        """Evict every pod that uses more of the disk than it may; whether there was one."""
        limited = [pod for pod in active if is_limited(pod)]
        if not limited:
            return False
        uses = await self._gauge.measure(limited, disk_of=map(uid_of, limited))
        evicted = False
        for pod in limited:
            use = uses.get(uid_of(pod))
            if use is None:
                continue
            excess = find_excess(pod, use, image_disk_apart=self._is_apart())
            if excess is not None and self._evict(
                pod, Verdict(reason=REASON, message=excess.message, grace_s=GRACE_S)
            ):
                evicted = True
                self._metrics.evictions.inc(excess.signal)
        return evicted

    async def _relieve(self, short: Shortage, active: Sequence[Object]) -> None:
        """Free what nobody needs; if that is not enough, evict one pod."""
        signal = short.met[0]
        left = format_amount(signal.resource, short.seen[signal].available)
        log.warning("%s is low: %s left", signal.name, left)
        message = f"Attempting to reclaim {signal.resource}"
        self._recorder.event(self._node, "Warning", "EvictionThresholdMet", message)
        if signal.condition == "DiskPressure":
            await self._around.reclaim()
            short = await self._observe()
            if not short.met:
                log.info("freed enough without evicting pods")
                return
            if signal not in short.met:
                signal = short.met[0]
        is_disk = signal.condition == "DiskPressure"
        uids = map(uid_of, active if is_disk else ())
        uses = await self._gauge.measure(active, disk_of=uids, pids=signal.resource == "pids")
        for pod in rank_pods(active, uses, signal, image_disk_apart=self._is_apart()):
            if self._evict(pod, self._verdict(pod, uses, signal, short)):
                self._awaited = (uid_of(pod), self._clock.monotonic() + CLEAN_UP_S)
                self._metrics.evictions.inc(signal.name)
                return
        log.warning("%s is low, and there is no pod to evict", signal.name)

    def _verdict(self, pod: Object, uses: Uses, signal: Signal, short: Shortage) -> Verdict:
        use = uses.get(uid_of(pod))
        message, annotations = eviction_message(pod, use, signal, short.met, short.limits, short.seen)
        return Verdict(
            reason=REASON,
            message=message,
            grace_s=GRACE_S if signal in short.hard else self._config.eviction_soft_pod_grace_s,
            is_disruption=True,
            annotations=annotations,
        )

    def _evict(self, pod: Object, verdict: Verdict) -> bool:
        if is_critical(pod):
            log.warning("pod %s is critical and not evicted: %s", key_of(pod), verdict.message)
            return False
        if not self._around.evict(pod, verdict):
            return False
        log.warning("pod %s is evicted: %s", key_of(pod), verdict.message)
        return True

    def _is_awaiting(self, active: Sequence[Object]) -> bool:
        """Whether the pod evicted last has not ended yet: what it frees may be enough."""
        if self._awaited is None:
            return False
        uid, until = self._awaited
        if self._clock.monotonic() < until and any(uid_of(pod) == uid for pod in active):
            return True
        self._awaited = None
        return False

    def _is_apart(self) -> bool:
        """Whether images lie on a disk of their own."""
        if self._image_dir is None:
            return False
        try:
            return self._image_dir.stat().st_dev != self._config.root_dir.stat().st_dev
        except FileNotFoundError:
            return False
