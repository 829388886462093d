"""What the node is short of: by hard thresholds at once, by soft ones when they were met for long enough.

Source: pkg/kubelet/eviction/helpers.go (thresholdsMet, thresholdsMetGracePeriod, thresholdsFirstObservedAt).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.eviction.signals import (
    SIGNALS,
    Observations,
    Signal,
    Threshold,
    crossed,
    read_thresholds,
    thresholds,
)


@dataclass(frozen=True, slots=True)
class Shortage:
    """One look: what was `seen`, the signals that are `met` in order, and by which of the `limits`.

    `hard` are those met by a hard threshold; `shown` also those whose soft threshold is met, but not for
    long enough.
    """

    seen: Observations
    met: Sequence[Signal]
    limits: Mapping[Signal, Threshold]
    hard: frozenset[Signal]
    shown: Sequence[Signal]


class Thresholds:
    """The node's thresholds, and since when they are met."""

    def __init__(self, config: KubeletConfig) -> None:
        self._hard = thresholds(config)
        self._soft = read_thresholds(config.eviction_soft)
        self._grace_s = config.eviction_soft_grace_s
        self._more = read_thresholds(config.eviction_minimum_reclaim)
        self._since: dict[Signal, float] = {}
        self._met: frozenset[Signal] = frozenset()

    def judge(self, seen: Observations, now_s: float) -> Shortage:
        """What is met at the (monotonic) time `now_s`. One that was met stays so until more is left."""
        more = {signal: limit for signal, limit in self._more.items() if signal in self._met}
        hard = frozenset(crossed(self._hard, seen, more))
        soft = crossed(self._soft, seen, more)
        self._since = {signal: self._since.get(signal, now_s) for signal in soft}
        ripe = {
            signal for signal, since in self._since.items() if now_s - since >= self._grace_s[signal.name]
        }
        met = [signal for signal in SIGNALS if signal in hard or signal in ripe]
        self._met = frozenset(met)
        limits = {signal: self._hard[signal] if signal in hard else self._soft[signal] for signal in met}
        shown = [signal for signal in SIGNALS if signal in hard or signal in soft]
        return Shortage(seen, met, limits, hard, shown)
