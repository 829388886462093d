"""What a kubelet's server is told of the agent it belongs to: `About`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from wherry.kit.disk import Disk
from wherry.kit.metrics import Metric
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.eviction.usage import Gauge
from wherry.kubelet.machine import Machine
from wherry.kubelet.metrics import KubeletMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """`config`, `machine` and `metrics` are the agent's; `disk` is where files are read.

    `gauge` measures pods, `gauges` gives figures of the moment, `sync_error` what keeps pods from being
    looked after ("" for nothing).
    """

    config: KubeletConfig
    machine: Callable[[], Machine]
    disk: Disk
    gauge: Gauge
    metrics: KubeletMetrics = field(default_factory=KubeletMetrics)
    gauges: Callable[[], Iterable[Metric]] = tuple
    sync_error: Callable[[], str] = str
