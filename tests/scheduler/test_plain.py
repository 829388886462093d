"""Columns say what a plain look at one node after the other says, also when brought up to date."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import product
from random import Random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scheduler.builders import READER, node, pod
from tests.scheduler.plain import FILTERS, PREFERRED, REQUIRED, SCORES, Plain, Settings, refusal, rejection
from wherry.objects.meta import Object, name_of
from wherry.objects.node_selectors import node_matches_pod, term_matches
from wherry.scheduler.budgets import Budgets
from wherry.scheduler.catalog import default_profile
from wherry.scheduler.configuration import API_VERSION, KIND, read_configuration
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.facts import PodFacts, read_template
from wherry.scheduler.matching import required_rows, term_rows
from wherry.scheduler.preemption import Search, look_at
from wherry.scheduler.profiles import Profile
from wherry.scheduler.trace import Trace
from wherry.scheduler.world import NoStorage, World

PROFILE = default_profile()
NAMESPACES = {"default": {"team": "a"}, "other": {"team": "b"}}
ZONE = "topology.kubernetes.io/zone"
HOSTNAME = "kubernetes.io/hostname"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
SEEDS = st.integers(0, 2**32)


class Selectors:
    """A service that selects what it is told."""

    def __init__(self, selectors: Sequence[Mapping[str, Any]]) -> None:
        self._selectors = selectors

    def selecting(self, pod: PodFacts) -> Sequence[Mapping[str, Any]]:
        return self._selectors


class Claims(NoStorage):
    """Claims by key."""

    def __init__(self, claims: Mapping[str, Object]) -> None:
        self._claims = claims

    def claim(self, key: str) -> Object | None:
        return self._claims.get(key)


def some_claims(random: Random) -> dict[str, Object]:
    found = {}
    for namespace, name in product(NAMESPACES, "uv"):
        phase = random.choice(["Bound", "Bound", "Pending", "Lost"])
        bound = {"pv.kubernetes.io/bind-completed": "yes"} if phase == "Bound" else {}
        meta: dict[str, Any] = {"name": name, "namespace": namespace, "annotations": bound}
        if random.random() < 0.2:
            meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        spec = {"volumeName": "v"} if phase != "Pending" else {}
        if random.random() < 0.8:
            found[f"{namespace}/{name}"] = {"metadata": meta, "spec": spec, "status": {"phase": phase}}
    return found


def some_settings(random: Random) -> Settings:
    """Mostly the defaults."""
    added: dict[str, Any] = {}
    if random.random() < 0.2:
        added[REQUIRED] = {"nodeSelectorTerms": [node_term(random) for _ in range(2)]}
    if random.random() < 0.2:
        added[PREFERRED] = [{"weight": 7, "preference": node_term(random)}]
    return Settings(
        strategy=random.choice(
            ["LeastAllocated", "LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"]
        ),
        shape=random.choice([((0, 0), (100, 10)), ((0, 10), (30, 4), (80, 7)), ((20, 3), (21, 9))]),
        added=added,
        hard_weight=random.choice([0, 1, 1, 50]),
        ignores_preferred=random.random() < 0.2,
    )


def profile_of(settings: Settings) -> Profile:
    """The default profile, set like that."""
    ratio = {"shape": [{"utilization": at, "score": score} for at, score in settings.shape]}
    arguments: dict[str, Any] = {
        "NodeAffinity": {"addedAffinity": settings.added},
        "InterPodAffinity": {
            "hardPodAffinityWeight": settings.hard_weight,
            "ignorePreferredTermsOfExistingPods": settings.ignores_preferred,
        },
        "NodeResourcesFit": {
            "scoringStrategy": {
                "type": settings.strategy,
                "resources": [{"name": "cpu", "weight": 1}, {"name": "memory", "weight": 1}],
                **({"requestedToCapacityRatio": ratio} if settings.strategy.endswith("Ratio") else {}),
            }
        },
    }
    given = [{"name": name, "args": args} for name, args in arguments.items()]
    text = {"apiVersion": API_VERSION, "kind": KIND, "profiles": [{"pluginConfig": given}]}
    [profile] = read_configuration(json.dumps(text)).profiles
    return profile


def with_rare_things(found: Object, random: Random) -> Object:
    """What few pods ask for: a node by name, claims, ports of one address, features of the node."""
    spec, container = found["spec"], found["spec"]["containers"][0]
    if random.random() < 0.05:
        spec["nodeName"] = random.choice(["n0", "n1", "gone"])
    if random.random() < 0.1:
        spec["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": random.choice("uv")}}]
    if random.random() < 0.2:
        container["ports"] = [
            {"hostPort": 80, "hostIP": random.choice(["", "10.0.0.1", "10.0.0.2"]), "protocol": protocol}
            for protocol in random.sample(["TCP", "UDP"], 1)
        ]
    if random.random() < 0.1:
        container["restartPolicyRules"] = [{"action": "RestartAllContainers"}]
    if random.random() < 0.2:
        spec["hostUsers"], spec["hostNetwork"] = random.random() < 0.3, random.random() < 0.7
    if random.random() < 0.1:
        named = [
            [{"key": "metadata.name", "operator": "In", "values": random.sample(["n0", "n1", "n2", "n9"], 2)}]
            for _ in range(random.randrange(1, 3))
        ]
        if random.random() < 0.3:
            named[0].append({"key": "metadata.name", "operator": "In", "values": ["n1"]})
        terms = [{"matchFields": fields} for fields in named]
        affinity = spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})
        affinity[REQUIRED] = {"nodeSelectorTerms": terms}
    return found


def some_node(random: Random, number: int) -> Object:
    labels = {"size": str(random.randrange(4))}
    if random.random() < 0.8:
        labels[ZONE] = random.choice("xyz")
    if random.random() < 0.9:
        labels[HOSTNAME] = f"n{number}"
    if random.random() < 0.5:
        labels["disk"] = random.choice(["ssd", "hdd"])
    spec: dict[str, Any] = {}
    if random.random() < 0.3:
        spec["taints"] = [
            {"key": random.choice("ab"), "value": random.choice("12"), "effect": random.choice(EFFECTS)}
        ]
    if random.random() < 0.1:
        spec["unschedulable"] = True
    images = [
        {"names": [f"{name}:latest"], "sizeBytes": random.randrange(1, 2000) * 1024 * 1024} for name in "ij"
    ]
    return node(
        f"n{number}",
        cpu=random.choice(["1", "2", "1500m"]),
        memory=random.choice(["1Gi", "4Gi"]),
        pods=random.choice(["3", "110"]),
        labels=labels,
        images=random.sample(images, random.randrange(3)),
        more={"example.com/gpu": "1"} if random.random() < 0.3 else None,
        **spec,
    )


def with_features(found: Object, random: Random) -> Object:
    names = ["RestartAllContainersOnContainerExits", "UserNamespacesHostNetworkSupport"]
    found["status"]["declaredFeatures"] = random.sample(names, random.randrange(3))
    return found


def requirement(random: Random) -> dict[str, Any]:
    operator = random.choice(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])
    if operator in ("Gt", "Lt"):
        return {"key": "size", "operator": operator, "values": [str(random.randrange(4))]}
    values = random.sample(["ssd", "hdd", "x", "1"], random.randrange(1, 3))
    key = random.choice(["disk", ZONE, "size"])
    return {
        "key": key,
        "operator": operator,
        **({"values": values} if operator in ("In", "NotIn") else {}),
    }


def node_term(random: Random) -> dict[str, Any]:
    if random.random() < 0.1:
        values = random.sample(["n0", "n1", "n2"], 1)
        return {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": values}]}
    return {"matchExpressions": [requirement(random) for _ in range(random.randrange(3))]}


def selector(random: Random) -> dict[str, Any] | None:
    roll = random.random()
    if roll < 0.1:
        return None
    if roll < 0.2:
        return {}
    if roll < 0.4:
        return {"matchExpressions": [{"key": "tier", "operator": random.choice(["Exists", "DoesNotExist"])}]}
    return {"matchLabels": {"app": random.choice("pq")}}


def pod_term(random: Random) -> dict[str, Any]:
    term: dict[str, Any] = {"topologyKey": random.choice([ZONE, HOSTNAME, "disk", "nobody-has"])}
    found = selector(random)
    if found is not None:
        term["labelSelector"] = found
    roll = random.random()
    if roll < 0.2:
        term["namespaces"] = ["other"]
    elif roll < 0.4:
        term["namespaceSelector"] = random.choice([{}, {"matchLabels": {"team": "b"}}])
    return term


def some_pod(random: Random, name: str) -> Object:
    spec: dict[str, Any] = {}
    affinity: dict[str, Any] = {}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    if random.random() < 0.3:
        terms = [node_term(random) for _ in range(random.randrange(1, 3))]
        affinity.setdefault("nodeAffinity", {})[required] = {"nodeSelectorTerms": terms}
    if random.random() < 0.3:
        affinity.setdefault("nodeAffinity", {})[preferred] = [
            {"weight": random.randrange(1, 100), "preference": node_term(random)} for _ in range(2)
        ]
    for kind in ("podAffinity", "podAntiAffinity"):
        if random.random() < 0.2:
            affinity.setdefault(kind, {})[required] = [
                pod_term(random) for _ in range(random.randrange(1, 3))
            ]
        if random.random() < 0.3:
            affinity.setdefault(kind, {})[preferred] = [
                {"weight": random.randrange(1, 100), "podAffinityTerm": pod_term(random)} for _ in range(2)
            ]
    if affinity:
        spec["affinity"] = affinity
    if random.random() < 0.4:
        spec["topologySpreadConstraints"] = [constraint(random) for _ in range(random.randrange(1, 3))]
    if random.random() < 0.3:
        spec["tolerations"] = [{"key": random.choice("ab"), "operator": "Exists"}]
    if random.random() < 0.1:
        spec["nodeSelector"] = {"disk": "ssd"}
    requests = {}
    if random.random() < 0.7:
        requests = {"cpu": random.choice(["100m", "500m", "3"]), "memory": random.choice(["64Mi", "512Mi"])}
    if random.random() < 0.1:
        requests["example.com/gpu"] = "1"
    labels = {"app": random.choice("pq")}
    if random.random() < 0.3:
        labels["tier"] = "front"
    found = pod(
        name,
        requests=requests,
        port=80 if random.random() < 0.1 else 0,
        labels=labels,
        namespace=random.choice(list(NAMESPACES)),
        image=random.choice("ijk"),
        priority=random.choice([0, 0, 5]),
        **spec,
    )
    if random.random() < 0.1:
        found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return found


def constraint(random: Random) -> dict[str, Any]:
    hard = random.random() < 0.5
    return {
        "topologyKey": random.choice(
            [ZONE, HOSTNAME, "disk", "nobody-has"] if hard else [ZONE, HOSTNAME, "disk"]
        ),
        "maxSkew": random.randrange(1, 3),
        "whenUnsatisfiable": "DoNotSchedule" if hard else "ScheduleAnyway",
        "labelSelector": selector(random),
        **({"minDomains": random.randrange(1, 4)} if hard and random.random() < 0.5 else {}),
        **({"nodeAffinityPolicy": "Ignore"} if random.random() < 0.3 else {}),
        **({"nodeTaintsPolicy": "Honor"} if random.random() < 0.3 else {}),
    }


def some_world(random: Random) -> tuple[World, Plain]:
    nodes = [with_features(some_node(random, number), random) for number in range(random.randrange(1, 9))]
    selecting = [{"matchLabels": {"app": "p"}}] if random.random() < 0.5 else []
    claims = some_claims(random)
    world = World(Claims(claims), Selectors(selecting))
    for name, labels in NAMESPACES.items():
        world.set_namespace(name, labels)
    for item in nodes:
        world.set_node(item)
    placed: dict[str, list[Object]] = {}
    for number in range(random.randrange(12)):
        chosen = name_of(random.choice(nodes))
        found = some_pod(random, f"placed{number}")
        placed.setdefault(chosen, []).append(found)
        world.place(READER.read(found), chosen)
    return world, Plain(nodes, placed, NAMESPACES, selecting, claims)


def rejections(trace: Trace) -> dict[str, tuple[str, set[str]]]:
    found = {name: ("", set[str]()) for name in trace.nodes}
    for index, rows, bits in trace.first_rejections():
        for row in map(int, np.flatnonzero(rows)):
            reasons = {
                reason.text for bit, reason in enumerate(trace.reasons[index]) if bits[row] & (1 << bit)
            }
            found[trace.nodes[row]] = (trace.filters[index], reasons)
    return found


def scores(trace: Trace, feasible: Sequence[str]) -> dict[str, dict[str, int]]:
    rows = {name: row for row, name in enumerate(trace.nodes)}
    return {
        plugin: {name: int(trace.scores[index][rows[name]]) for name in feasible}
        for index, plugin in enumerate(trace.scorers)
    }


NOT_PLAIN = {"DynamicResources", "GangScheduling"}
"""Which devices a node has for claims is a search: `tests/scheduler/devices` has its own plain look.

Gangs are about no node.
"""


def test_every_plug_in_has_a_plain_look() -> None:
    filters = {"VolumeBinding", *(name for name, _ in FILTERS)}
    chosen = [one for one in PROFILE.chosen if one.plugin.name not in NOT_PLAIN]
    assert {one.plugin.name for one in chosen if one.filters} == filters
    assert {one.plugin.name for one in chosen if one.weight} == {name for name, _ in SCORES}


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_columns_equal_a_plain_look(seed: int) -> None:
    random = Random(seed)
    world, plain = some_world(random)
    plain.settings = some_settings(random)
    incoming = with_rare_things(some_pod(random, "incoming"), random)
    incoming["metadata"].pop("deletionTimestamp", None)
    trace = Evaluation(profile_of(plain.settings), READER.read(incoming), world).trace()
    assert (trace.refusal.reason if trace.refusal is not None else "") == refusal(plain, incoming)
    if trace.refusal is not None:
        return
    wanted = {name_of(item): rejection(plain, incoming, item) for item in plain.nodes}
    assert rejections(trace) == wanted
    feasible = [item for item in plain.nodes if not wanted[name_of(item)][0]]
    found = scores(trace, [name_of(item) for item in feasible])
    for name, judge in SCORES:
        points = judge(plain, incoming, feasible)
        if name in found:
            assert found[name] == points, name
        else:  # it has nothing to say: all are alike
            assert len(set(points.values())) <= 1, name


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_step_by_step_is_as_good_as_anew(seed: int) -> None:
    random = Random(seed)
    world, plain = some_world(random)
    incoming = READER.read(some_pod(random, "incoming"))
    evaluation = Evaluation(PROFILE, incoming, world)
    for number in range(random.randrange(1, 6)):
        if world.placed and random.random() < 0.4:
            world.displace(random.choice(list(world.placed)))
        else:
            more = READER.read(some_pod(random, f"more{number}"))
            world.place(more, name_of(random.choice(plain.nodes)), is_assumed=True)
        if random.random() < 0.7:
            assert evaluation.catch_up()
    assert evaluation.catch_up()
    kept, anew = evaluation.trace(), Evaluation(PROFILE, incoming, world).trace()
    assert rejections(kept) == rejections(anew)
    feasible = [name for name, (plugin, _) in rejections(anew).items() if not plugin]
    known = scores(kept, feasible)
    for plugin, points in scores(anew, feasible).items():
        assert known[plugin] == points, plugin


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_looking_for_victims_changes_nothing(seed: int) -> None:
    random = Random(seed)
    world, _ = some_world(random)
    incoming = READER.read(
        {**(found := some_pod(random, "incoming")), "spec": {**found["spec"], "priority": 9}}
    )
    evaluation = Evaluation(PROFILE, incoming, world)
    before = evaluation.trace()
    for row in range(len(world.nodes)):
        candidate = look_at(evaluation, Search(), row, incoming, world, Budgets())
        if candidate is not None:
            assert all(victim.priority < incoming.priority for victim in candidate.victims)
    after = Evaluation(PROFILE, incoming, world).trace()
    for kept in (evaluation.trace(), after):
        assert rejections(kept) == rejections(before)
        assert (kept.scores == before.scores).all()


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_node_selectors_of_all_nodes_and_of_one_agree(seed: int) -> None:
    random = Random(seed)
    world, plain = some_world(random)
    term = node_term(random)
    assert list(term_rows(world.nodes, term)) == [term_matches(item, term) for item in plain.nodes]
    incoming = some_pod(random, "incoming")
    rows = required_rows(world.nodes, read_template(incoming))
    wanted = [node_matches_pod(item, incoming["spec"]) for item in plain.nodes]
    assert (list(rows) if rows is not None else [True] * len(wanted)) == wanted
