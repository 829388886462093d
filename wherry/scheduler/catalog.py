"""Which plugins run, in which order, with which weight: upstream's default profile.

(`pkg/scheduler/apis/config/v1/default_plugins.go`.) Those that `arguments` does not make are no plugins here:
SchedulingGates and PrioritySort are how the queue works, DefaultBinder is `binding`, DefaultPreemption is
`preemption`; the others are not there yet.
"""

from __future__ import annotations

from wherry.scheduler.arguments import MAKERS, read_arguments
from wherry.scheduler.facts import DEFAULT_SCHEDULER
from wherry.scheduler.profiles import Chosen, Profile

DEFAULT_PLUGINS: tuple[tuple[str, int], ...] = (
    ("SchedulingGates", 0),
    ("PrioritySort", 0),
    ("NodeUnschedulable", 0),
    ("NodeName", 0),
    ("TaintToleration", 3),
    ("NodeAffinity", 2),
    ("NodePorts", 0),
    ("NodeResourcesFit", 1),
    ("VolumeRestrictions", 0),
    ("NodeVolumeLimits", 0),
    ("VolumeBinding", 0),
    ("VolumeZone", 0),
    ("PodTopologySpread", 2),
    ("InterPodAffinity", 2),
    ("DynamicResources", 0),
    ("DefaultPreemption", 0),
    ("NodeResourcesBalancedAllocation", 1),
    ("ImageLocality", 1),
    ("DefaultBinder", 0),
)
"""Upstream's default profile in its order, with the weights of those that score."""
SCORING = frozenset(name for name, weight in DEFAULT_PLUGINS if weight)
FILTERING = frozenset(
    {
        "NodeUnschedulable",
        "NodeName",
        "TaintToleration",
        "NodeAffinity",
        "NodePorts",
        "NodeResourcesFit",
        "VolumeRestrictions",
        "NodeVolumeLimits",
        "VolumeBinding",
        "VolumeZone",
        "PodTopologySpread",
        "InterPodAffinity",
        "DynamicResources",
    }
)


def default_profile(name: str = DEFAULT_SCHEDULER) -> Profile:
    """The profile of pods that ask for nothing else."""
    return Profile(
        name,
        [
            Chosen(MAKERS[plugin](read_arguments(plugin, None, "").values), weight, plugin in FILTERING)
            for plugin, weight in DEFAULT_PLUGINS
            if plugin in MAKERS
        ],
    )
