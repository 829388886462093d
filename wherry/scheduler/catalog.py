"""Which plugins run, in which order, with which weight: upstream's default profile.

(`pkg/scheduler/apis/config/v1/default_plugins.go`.) What is not a plugin here: SchedulingGates and
PrioritySort are the queue's order, DefaultBinder the scheduler's own binding, DefaultPreemption is
`preemption`.
"""

from __future__ import annotations

from wherry.scheduler.facts import DEFAULT_SCHEDULER
from wherry.scheduler.plugins.balanced_allocation import NodeResourcesBalancedAllocation
from wherry.scheduler.plugins.image_locality import ImageLocality
from wherry.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from wherry.scheduler.plugins.node_affinity import NodeAffinity
from wherry.scheduler.plugins.node_name import NodeName
from wherry.scheduler.plugins.node_ports import NodePorts
from wherry.scheduler.plugins.node_resources_fit import NodeResourcesFit
from wherry.scheduler.plugins.node_unschedulable import NodeUnschedulable
from wherry.scheduler.plugins.pod_topology_spread import PodTopologySpread
from wherry.scheduler.plugins.taint_toleration import TaintToleration
from wherry.scheduler.plugins.volume_binding import VolumeBinding
from wherry.scheduler.profiles import Chosen, Profile


def default_profile(name: str = DEFAULT_SCHEDULER) -> Profile:
    """The profile of pods that ask for nothing else."""
    return Profile(
        name,
        (
            Chosen(NodeUnschedulable()),
            Chosen(NodeName()),
            Chosen(TaintToleration(), 3),
            Chosen(NodeAffinity(), 2),
            Chosen(NodePorts()),
            Chosen(NodeResourcesFit(), 1),
            Chosen(VolumeBinding()),
            Chosen(PodTopologySpread(), 2),
            Chosen(InterPodAffinity(), 2),
            Chosen(NodeResourcesBalancedAllocation(), 1),
            Chosen(ImageLocality(), 1),
        ),
    )
