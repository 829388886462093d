"""KubeSchedulerConfiguration: defaults, how plugins are merged, and what is refused in which words."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import yaml

from tests.scheduler.builders import facts, node, world
from wherry.objects.meta import Object
from wherry.scheduler.catalog import default_profile
from wherry.scheduler.configuration import (
    API_VERSION,
    KIND,
    SchedulerConfiguration,
    default_configuration,
    read_configuration,
)
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.profiles import Profile
from wherry.scheduler.strict import ConfigurationError
from wherry.scheduler.world import World


def configuration(**fields: Any) -> SchedulerConfiguration:
    return read_configuration(yaml.safe_dump({"apiVersion": API_VERSION, "kind": KIND, **fields}))


def profile(**fields: Any) -> Profile:
    (found,) = configuration(profiles=[fields]).profiles
    return found


def shown(found: Profile) -> list[tuple[str, int, bool]]:
    return [(one.plugin.name, one.weight, one.filters) for one in found.chosen]


def arguments(plugin: str, **args: Any) -> dict[str, Any]:
    return {"pluginConfig": [{"name": plugin, "args": args}]}


def test_an_empty_configuration_is_the_default() -> None:
    found = configuration()
    assert found.profiles[0].name == "default-scheduler"
    assert shown(found.profiles[0]) == shown(default_profile())
    assert (found.first_backoff_s, found.longest_backoff_s) == (1.0, 10.0)
    assert default_configuration().profiles[0].preempts
    assert (found.profiles[0].min_candidates_percent, found.profiles[0].min_candidates) == (10, 100)


def test_plugins_are_disabled_added_and_weighted() -> None:
    found = profile(
        plugins={
            "multiPoint": {
                "disabled": [{"name": "ImageLocality"}],
                "enabled": [{"name": "NodeAffinity", "weight": 9}],
            },
            "score": {
                "disabled": [{"name": "TaintToleration"}],
                "enabled": [{"name": "NodeResourcesFit", "weight": 5}],
            },
            "filter": {"disabled": [{"name": "NodePorts"}]},
            "postFilter": {"disabled": [{"name": "DefaultPreemption"}]},
        }
    )
    by_name = {name: (weight, filters) for name, weight, filters in shown(found)}
    assert "ImageLocality" not in by_name
    assert "NodePorts" not in by_name
    assert by_name["NodeAffinity"] == (9, True)
    assert by_name["TaintToleration"] == (0, True)
    assert by_name["NodeResourcesFit"] == (5, True)
    assert not found.preempts


def test_everything_off_but_one() -> None:
    found = profile(
        plugins={
            "filter": {"disabled": [{"name": "*"}], "enabled": [{"name": "NodeName"}]},
            "score": {"disabled": [{"name": "*"}]},
        }
    )
    assert shown(found) == [("NodeName", 0, True)]


def test_what_is_not_there_yet_is_accepted() -> None:
    found = profile(
        plugins={"multiPoint": {"disabled": [{"name": "NodeVolumeLimits"}, {"name": "VolumeZone"}]}}
    )
    assert len(found.chosen) == len(default_profile().chosen)
    off = {"disabled": [{"name": "*"}]}
    points = ("placementGenerate", "placementScore", "podGroupPostFilter")
    assert shown(profile(plugins=dict.fromkeys(points, off))) == shown(default_profile())
    with pytest.raises(ConfigurationError, match='"NodeName" does not extend PlacementScore plugin'):
        profile(plugins={"placementScore": {"enabled": [{"name": "NodeName"}]}})


REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
RATIO = {
    "type": "RequestedToCapacityRatio",
    "resources": [{"name": "cpu"}],
    "requestedToCapacityRatio": {
        "shape": [{"utilization": 0, "score": 0}, {"utilization": 100, "score": 10}]
    },
}
DISK = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}


def used(name: str, cpu: str) -> tuple[PodFacts, str]:
    return facts(f"on-{name}", requests={"cpu": cpu, "memory": "1Gi"}), name


@pytest.mark.parametrize(
    ("config", "nodes", "placed", "choice"),
    [
        ({}, [node("a"), node("b")], [used("a", "2")], "b"),
        (
            arguments("NodeResourcesFit", scoringStrategy={"type": "MostAllocated"}),
            [node("a"), node("b")],
            [used("a", "2")],
            "a",
        ),
        (arguments("NodeResourcesFit", scoringStrategy=RATIO), [node("a"), node("b")], [used("a", "2")], "a"),
        (
            arguments("NodeAffinity", addedAffinity={REQUIRED: {"nodeSelectorTerms": [DISK]}}),
            [node("a"), node("b", labels={"disk": "ssd"})],
            [used("b", "3")],
            "b",
        ),
    ],
)
def test_arguments_change_the_choice(
    config: dict[str, Any], nodes: list[Object], placed: list[tuple[PodFacts, str]], choice: str
) -> None:
    where: World = world(*nodes)
    for pod, name in placed:
        where.place(pod, name)
    incoming = facts("incoming", requests={"cpu": "1", "memory": "1Gi"})
    assert Decisions(where, Random(1)).choose(profile(**config), incoming) == choice


def test_ignored_resources_always_fit() -> None:
    where = world(node("a"))
    pod = facts(requests={"example.com/gpu": "1"})
    decisions = Decisions(where, Random(1))
    assert decisions.choose(profile(schedulerName="one"), pod) == ""
    for name, config in (
        ("two", {"ignoredResources": ["example.com/gpu"]}),
        ("three", {"ignoredResourceGroups": ["example.com"]}),
    ):
        chosen = profile(schedulerName=name, **arguments("NodeResourcesFit", **config))
        assert decisions.choose(chosen, pod) == "a"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"apiVersion": "v1"}, 'no kind "KubeSchedulerConfiguration" is registered for version "v1"'),
        ({"kind": ""}, "Object 'Kind' is missing"),
        ({"profilez": []}, 'strict decoding error: unknown field "profilez"'),
        ({"profiles": [{"plugins": {"filters": {}}}]}, 'unknown field "profiles[0].plugins.filters"'),
        ({"parallelism": "4"}, "cannot unmarshal string into field parallelism of type int32"),
        (
            {"profiles": [{"plugins": {"score": {"enabled": [{"name": "NodeAffinity", "weight": 2**40}]}}}]},
            f"number {2**40} into field profiles[0].plugins.score.enabled[0].weight of type int32",
        ),
        ({"parallelism": 0}, "parallelism: Invalid value: 0: should be an integer value greater than zero"),
        (
            {"percentageOfNodesToScore": 101},
            "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]",
        ),
        (
            {"podInitialBackoffSeconds": 0},
            "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0",
        ),
        (
            {"podMaxBackoffSeconds": 0},
            "podMaxBackoffSeconds: Invalid value: 0: must be greater than or equal to Pod",
        ),
        (
            {"profiles": [{"schedulerName": "a"}, {"schedulerName": "a"}]},
            'profiles[1].schedulerName: Duplicate value: "profiles[0].schedulerName"',
        ),
        ({"profiles": [{"schedulerName": "a"}, {}]}, "profiles[1].schedulerName: Required value"),
        (
            {"profiles": [{"plugins": {"multiPoint": {"enabled": [{"name": "Nope"}]}}}]},
            'plugin "Nope" does not exist',
        ),
        (
            {"profiles": [{"plugins": {"filter": {"enabled": [{"name": "ImageLocality"}]}}}]},
            'plugin "ImageLocality" does not extend Filter plugin',
        ),
        (
            {"profiles": [{"plugins": {"bind": {"disabled": [{"name": "*"}]}}}]},
            'at least one bind plugin is needed for profile with scheduler name "default-scheduler"',
        ),
        (
            {"profiles": [arguments("InterPodAffinity", hardPodAffinityWeight=101)]},
            "pluginConfig[0].args.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]",
        ),
        (
            {"profiles": [arguments("NodeAffinity", added={})]},
            'decoding args for plugin NodeAffinity: strict decoding error: unknown field "added"',
        ),
        (
            {"profiles": [arguments("NodeResourcesFit", scoringStrategy={"type": "Best"})]},
            'scoringStrategy.type: Unsupported value: "Best": supported values: "LeastAllocated", "MostAll',
        ),
        (
            {
                "profiles": [
                    arguments("PodTopologySpread", defaultConstraints=[{"maxSkew": 1, "topologyKey": "zone"}])
                ]
            },
            'args.defaultingType: Invalid value: "System": when .defaultConstraints are not empty',
        ),
        (
            {
                "profiles": [
                    arguments("DefaultPreemption", minCandidateNodesPercentage=0, minCandidateNodesAbsolute=0)
                ]
            },
            "cannot be zero at the same time as minCandidateNodesAbsolute",
        ),
        (
            {"extenders": [{"urlPrefix": "http://x", "prioritizeVerb": "p"}]},
            "extenders[0].weight: Invalid value: 0: must have a positive weight applied to it",
        ),
        (
            {"extenders": [{"bindVerb": "b"}, {"bindVerb": "b"}]},
            "only one extender can implement bind",
        ),
        ({"leaderElection": {"resourceLock": "endpoints"}}, 'resourceLock value must be "leases"'),
    ],
)
def test_what_is_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configuration(**fields)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_that_is_no_configuration() -> None:
    for text in ("", "- a", "a: [", "a: 1\na: 2", b"\xff"):
        with pytest.raises(ConfigurationError):
            read_configuration(text)
    repeated = f"apiVersion: {API_VERSION}\nkind: {KIND}\nparallelism: 1\nparallelism: 2\n"
    with pytest.raises(ConfigurationError, match="parallelism"):
        read_configuration(repeated)
