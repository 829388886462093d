"""Which plugins run, in which order, with which weight: upstream's default profile.

(`pkg/scheduler/apis/config/v1/default_plugins.go`.) Those that `arguments` does not make are no plugins here:
SchedulingGates and PrioritySort are how the queue works, DefaultBinder is `binding`, DefaultPreemption is
`preemption`; the others are not there yet.
"""

from __future__ import annotations

import logging
from typing import Any

from wherry.scheduler.arguments import MAKERS, read_arguments
from wherry.scheduler.facts import DEFAULT_SCHEDULER
from wherry.scheduler.framework import Plugin
from wherry.scheduler.installed import Installed, installed_plugins
from wherry.scheduler.profiles import Chosen, Profile
from wherry.scheduler.strict import ConfigurationError

log = logging.getLogger(__name__)

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
    ("DynamicResources", 2),
    ("NodeDeclaredFeatures", 0),
    ("GangScheduling", 0),
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
        "NodeDeclaredFeatures",
        "GangScheduling",
    }
)


POST_FILTERING = frozenset({"DefaultPreemption", "DynamicResources"})


def plugin_order() -> list[tuple[str, int]]:
    """All plugins that run by default, with the weights of those that score: upstream's, then packages'."""
    return [*DEFAULT_PLUGINS, *((one.name, one.weight if one.scores else 0) for one in _installed().values())]


def plugins_at(point: str) -> frozenset[str]:
    """The plugins that have something to say at an extension point."""
    match point:
        case "filter":
            return FILTERING | {name for name, one in _installed().items() if one.filters}
        case "score":
            return SCORING | {name for name, one in _installed().items() if one.scores}
        case "postFilter":
            return POST_FILTERING
        case "queueSort":
            return frozenset({"PrioritySort"})
        case "bind":
            return frozenset({"DefaultBinder"})
        case _:
            return frozenset()


def make_plugin(name: str, arguments: Any) -> Plugin | None:
    """A plugin with the arguments its configuration gives it, None for those that are no plugins here.

    Raises ConfigurationError.
    """
    if name in MAKERS:
        return MAKERS[name](read_arguments(name, arguments, "").values)
    installed = _installed().get(name)
    return installed.make(arguments or {}) if installed is not None else None


def _installed() -> dict[str, Installed]:
    upstreams = {name for name, _ in DEFAULT_PLUGINS}
    return {one.name: one for one in installed_plugins() if one.name not in upstreams}


def default_profile(name: str = DEFAULT_SCHEDULER) -> Profile:
    """The profile of pods that ask for nothing else.

    An installed plug-in that cannot be made without arguments is logged and left out.
    """
    chosen = []
    filtering = plugins_at("filter")
    for plugin_name, weight in plugin_order():
        try:
            plugin = make_plugin(plugin_name, None)
        except ConfigurationError as error:
            log.error("%s, and it is left out", error)
            continue
        if plugin is not None:
            chosen.append(Chosen(plugin, weight, plugin_name in filtering))
    return Profile(name, chosen)
