"""Which plugins run, in which order, with which weight (upstream's default profile as far as it goes)."""

from __future__ import annotations

from wherry.scheduler.framework import FilterPlugin, PreFilterPlugin, ScorePlugin
from wherry.scheduler.plugins.balanced_allocation import NodeResourcesBalancedAllocation
from wherry.scheduler.plugins.node_affinity import NodeAffinity
from wherry.scheduler.plugins.node_name import NodeName
from wherry.scheduler.plugins.node_ports import NodePorts
from wherry.scheduler.plugins.node_resources_fit import NodeResourcesFit
from wherry.scheduler.plugins.node_unschedulable import NodeUnschedulable
from wherry.scheduler.plugins.taint_toleration import TaintToleration
from wherry.scheduler.plugins.volume_binding import VolumeBinding

PRE_FILTERS: tuple[PreFilterPlugin, ...] = (VolumeBinding(),)

FILTERS: tuple[FilterPlugin, ...] = (
    NodeUnschedulable(),
    NodeName(),
    TaintToleration(),
    NodeAffinity(),
    NodePorts(),
    NodeResourcesFit(),
)

SCORES: tuple[tuple[ScorePlugin, int], ...] = (
    (TaintToleration(), 3),
    (NodeAffinity(), 2),
    (NodeResourcesFit(), 1),
    (NodeResourcesBalancedAllocation(), 1),
)
