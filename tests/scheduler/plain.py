"""Filters and scores as upstream has them, node by node, over API objects: what the columns must equal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

from wherry.api.core.pod_resources import pod_requests
from wherry.objects.meta import Object, is_deleting, labels_of, name_of, namespace_of
from wherry.objects.node_selectors import node_matches_pod, term_matches
from wherry.objects.quantity import parse_quantity
from wherry.objects.selectors import from_label_selector
from wherry.objects.taints import tolerates_any
from wherry.scheduler.plugins.pod_topology_spread import SYSTEM_DEFAULTS

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
HOSTNAME = "kubernetes.io/hostname"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """How plug-ins are set: NodeResourcesFit's strategy, added affinity, what placed pods' terms count."""

    strategy: str = "LeastAllocated"
    shape: tuple[tuple[int, int], ...] = ((0, 0), (100, 10))
    added: Mapping[str, Any] = field(default_factory=dict)
    hard_weight: int = 1
    ignores_preferred: bool = False


@dataclass
class Plain:
    """A cluster: nodes, placed pods by node name, labels of namespaces, selectors of the pod's services, and
    claims by key.
    """

    nodes: list[Object]
    placed: dict[str, list[Object]]
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    selecting: Sequence[Mapping[str, Any]] = ()
    claims: Mapping[str, Object] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)

    def on(self, node: Object) -> list[Object]:
        return self.placed.get(name_of(node), [])

    def all_placed(self) -> list[tuple[Object, Object]]:
        return [(pod, node) for node in self.nodes for pod in self.on(node)]


def spec_of(obj: Object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = obj.get("spec") or {}
    return found


def taints(node: Object) -> list[tuple[str, str, str]]:
    return [(t["key"], t.get("value") or "", t["effect"]) for t in spec_of(node).get("taints") or ()]


def amount(node: Object, name: str) -> int:
    quantities = node["status"]["allocatable"]
    value = parse_quantity(quantities[name]) if name in quantities else 0
    return math.floor(value * 1000) if name == "cpu" else math.floor(value)


def asked(pod: Object, name: str) -> int:
    value = pod_requests(pod).get(name, 0)
    return math.ceil(value * 1000) if name == "cpu" else math.ceil(value)


def asked_at_least(pod: Object, name: str) -> int:
    """With upstream's default for the one container that asks for none (the tests' pods have one)."""
    requests = pod["spec"]["containers"][0]["resources"]["requests"]
    if name in requests:
        return asked(pod, name)
    return {"cpu": 100, "memory": 200 * MIB}[name]


def tolerations(pod: Object) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = spec_of(pod).get("tolerations") or ()
    return found


def untolerated(pod: Object, node: Object) -> bool:
    return any(
        effect in ("NoSchedule", "NoExecute") and not tolerates_any(tolerations(pod), (key, value, effect))
        for key, value, effect in taints(node)
    )


# ---------------------------------------------------------------- filters: reasons, none if it passes


def unschedulable(cluster: Plain, pod: Object, node: Object) -> set[str]:
    cordon = ("node.kubernetes.io/unschedulable", "", "NoSchedule")
    if spec_of(node).get("unschedulable") and not tolerates_any(tolerations(pod), cordon):
        return {"node(s) were unschedulable"}
    return set()


def taint_toleration(cluster: Plain, pod: Object, node: Object) -> set[str]:
    return {"node(s) had untolerated taint(s)"} if untolerated(pod, node) else set()


def node_affinity(cluster: Plain, pod: Object, node: Object) -> set[str]:
    added = cluster.settings.added.get(REQUIRED)
    if added and not any(term_matches(node, term) for term in added["nodeSelectorTerms"]):
        return {"node(s) didn't match scheduler-enforced node affinity"}
    if node_matches_pod(node, spec_of(pod)):
        return set()
    return {"node(s) didn't match Pod's node affinity/selector"}


def names_allowed(pod: Object) -> set[str] | None:
    """The only nodes that are looked at, by the names every term of the required node affinity has."""
    required = ((spec_of(pod).get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED)
    found: set[str] = set()
    for term in (required or {}).get("nodeSelectorTerms") or ():
        named = [set(f["values"]) for f in term.get("matchFields") or () if f["operator"] == "In"]
        if not named:
            return None
        found |= set.intersection(*named)
    return found if required else None


def refusal(cluster: Plain, pod: Object) -> str:
    """Why the pod goes nowhere, whatever nodes there are."""
    if names_allowed(pod) == set():
        return "pod affinity terms conflict"
    for volume in spec_of(pod).get("volumes") or ():
        name = volume["persistentVolumeClaim"]["claimName"]
        claim = cluster.claims.get(f"{namespace_of(pod)}/{name}")
        if claim is None:
            return f'persistentvolumeclaim "{name}" not found'
        if claim["status"]["phase"] == "Lost":
            return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "v"'
        if is_deleting(claim):
            return f'persistentvolumeclaim "{name}" is being deleted'
        if claim["status"]["phase"] != "Bound":
            return "pod has unbound immediate PersistentVolumeClaims"
    return ""


def node_name(cluster: Plain, pod: Object, node: Object) -> set[str]:
    wanted = spec_of(pod).get("nodeName")
    return {"node(s) didn't match the requested node name"} if wanted and wanted != name_of(node) else set()


def declared_features(cluster: Plain, pod: Object, node: Object) -> set[str]:
    spec, needed = spec_of(pod), set()
    for container in spec["containers"]:
        if any(
            rule["action"] == "RestartAllContainers" for rule in container.get("restartPolicyRules") or ()
        ):
            needed.add("RestartAllContainersOnContainerExits")
    if spec.get("hostNetwork") and spec.get("hostUsers") is False:
        needed.add("UserNamespacesHostNetworkSupport")
    missing = needed - set(node["status"].get("declaredFeatures") or ())
    return {"node(s) didn't match Pod's required features"} if missing else set()


def host_ports(pod: Object) -> list[tuple[str, str, int]]:
    return [
        (p.get("hostIP") or "0.0.0.0", p.get("protocol") or "TCP", p["hostPort"])
        for c in pod["spec"]["containers"]
        for p in c.get("ports") or ()
    ]


def collide(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    return one[1:] == other[1:] and (one[0] == other[0] or "0.0.0.0" in (one[0], other[0]))


def node_ports(cluster: Plain, pod: Object, node: Object) -> set[str]:
    used = [port for other in cluster.on(node) for port in host_ports(other)]
    if any(collide(port, other) for port in host_ports(pod) for other in used):
        return {"node(s) didn't have free ports for the requested pod ports"}
    return set()


def fit(cluster: Plain, pod: Object, node: Object) -> set[str]:
    reasons = set()
    if len(cluster.on(node)) + 1 > amount(node, "pods"):
        reasons.add("Too many pods")
    for name in pod_requests(pod):
        wanted = asked(pod, name)
        used = sum(asked(other, name) for other in cluster.on(node))
        if wanted and wanted > amount(node, name) - used:
            reasons.add(f"Insufficient {name}")
    return reasons


def constraints_of(cluster: Plain, pod: Object, action: str) -> list[dict[str, Any]]:
    own = spec_of(pod).get("topologySpreadConstraints")
    if own:
        found = own
    else:
        wanted: dict[str, str] = {}
        for selector in cluster.selecting:
            wanted.update(selector["matchLabels"])
        found = [{**c, "labelSelector": {"matchLabels": wanted}} for c in SYSTEM_DEFAULTS] if wanted else []
    return [constraint for constraint in found if constraint["whenUnsatisfiable"] == action]


def honours(constraint: Mapping[str, Any], pod: Object, node: Object) -> bool:
    if constraint.get("nodeAffinityPolicy", "Honor") == "Honor" and not node_matches_pod(node, spec_of(pod)):
        return False
    return not (constraint.get("nodeTaintsPolicy") == "Honor" and untolerated(pod, node))


def matching(cluster: Plain, constraint: Mapping[str, Any], pod: Object, node: Object) -> int:
    selector = from_label_selector(constraint["labelSelector"])
    return sum(
        namespace_of(other) == namespace_of(pod)
        and not is_deleting(other)
        and selector.matches(labels_of(other))
        for other in cluster.on(node)
    )


def spread(cluster: Plain, pod: Object, node: Object) -> set[str]:
    constraints = constraints_of(cluster, pod, "DoNotSchedule")
    keys = [constraint["topologyKey"] for constraint in constraints]
    for constraint in constraints:
        key = constraint["topologyKey"]
        counts: dict[str, int] = {}
        for other in cluster.nodes:
            if all(k in labels_of(other) for k in keys) and honours(constraint, pod, other):
                domain = labels_of(other)[key]
                counts[domain] = counts.get(domain, 0) + matching(cluster, constraint, pod, other)
        if key not in labels_of(node):
            return {"node(s) didn't match pod topology spread constraints (missing required label)"}
        least = min(counts.values(), default=0) if len(counts) >= constraint.get("minDomains", 1) else 0
        own = from_label_selector(constraint["labelSelector"]).matches(labels_of(pod))
        if counts.get(labels_of(node)[key], 0) + own - least > constraint["maxSkew"]:
            return {"node(s) didn't match pod topology spread constraints"}
    return set()


def terms(pod: Object, kind: str, strength: str) -> list[Any]:
    found: list[Any] = ((spec_of(pod).get("affinity") or {}).get(kind) or {}).get(strength) or []
    return found


def term_matches_pod(cluster: Plain, term: Mapping[str, Any], owner: Object, other: Object) -> bool:
    names = set(term.get("namespaces") or ())
    others = term.get("namespaceSelector")
    if not names and others is None:
        names = {namespace_of(owner)}
    if others is not None and from_label_selector(others).matches(
        cluster.namespaces.get(namespace_of(other), {})
    ):
        names.add(namespace_of(other))
    return namespace_of(other) in names and from_label_selector(term.get("labelSelector")).matches(
        labels_of(other)
    )


def near(
    cluster: Plain, pod: Object, node: Object, term: Mapping[str, Any], other: Object, at: Object
) -> bool:
    key = term["topologyKey"]
    return key in labels_of(node) and labels_of(node)[key] == labels_of(at).get(key)


def pod_affinity(cluster: Plain, pod: Object, node: Object) -> set[str]:
    wanted = terms(pod, "podAffinity", REQUIRED)
    placed = cluster.all_placed()
    if wanted:
        friends = [
            (other, at)
            for other, at in placed
            if all(term_matches_pod(cluster, t, pod, other) for t in wanted)
        ]
        has_keys = all(t["topologyKey"] in labels_of(node) for t in wanted)
        in_reach = has_keys and all(
            any(near(cluster, pod, node, t, other, at) for other, at in friends) for t in wanted
        )
        is_counted = any(t["topologyKey"] in labels_of(at) for _, at in friends for t in wanted)
        is_first = not is_counted and all(term_matches_pod(cluster, t, pod, pod) for t in wanted)
        if not in_reach and not (is_first and has_keys):
            return {"node(s) didn't match pod affinity rules"}
    for term in terms(pod, "podAntiAffinity", REQUIRED):
        for other, at in placed:
            if term_matches_pod(cluster, term, pod, other) and near(cluster, pod, node, term, other, at):
                return {"node(s) didn't match pod anti-affinity rules"}
    for other, at in placed:
        for term in terms(other, "podAntiAffinity", REQUIRED):
            if term_matches_pod(cluster, term, other, pod) and near(cluster, pod, node, term, other, at):
                return {"node(s) didn't satisfy existing pods anti-affinity rules"}
    return set()


FILTERS: tuple[tuple[str, Callable[[Plain, Object, Object], set[str]]], ...] = (
    ("NodeUnschedulable", unschedulable),
    ("NodeName", node_name),
    ("TaintToleration", taint_toleration),
    ("NodeAffinity", node_affinity),
    ("NodePorts", node_ports),
    ("NodeResourcesFit", fit),
    ("PodTopologySpread", spread),
    ("InterPodAffinity", pod_affinity),
    ("NodeDeclaredFeatures", declared_features),
)


def rejection(cluster: Plain, pod: Object, node: Object) -> tuple[str, set[str]]:
    """The first filter that says no, and why; ("", none) if all pass."""
    names = names_allowed(pod)
    if names is not None and name_of(node) not in names:
        return "NodeAffinity", {"node(s) didn't satisfy plugin(s) [NodeAffinity]"}
    for name, judge in FILTERS:
        reasons = judge(cluster, pod, node)
        if reasons:
            return name, reasons
    return "", set()


# ---------------------------------------------------------------- scores: 0 to 100 by node name


def scaled(raw: Mapping[str, int], *, reverse: bool = False) -> dict[str, int]:
    most = max(raw.values(), default=0)
    if most == 0:
        return dict.fromkeys(raw, 100 if reverse else 0)
    return {name: 100 - v * 100 // most if reverse else v * 100 // most for name, v in raw.items()}


def score_taints(cluster: Plain, pod: Object, nodes: Sequence[Object]) -> dict[str, int]:
    soft = [t for t in tolerations(pod) if t.get("effect") in (None, "", "PreferNoSchedule")]
    return scaled(
        {
            name_of(node): sum(
                t[2] == "PreferNoSchedule" and not tolerates_any(soft, t) for t in taints(node)
            )
            for node in nodes
        },
        reverse=True,
    )


def score_affinity(cluster: Plain, pod: Object, nodes: Sequence[Object]) -> dict[str, int]:
    wanted = [*cluster.settings.added.get(PREFERRED, ()), *terms(pod, "nodeAffinity", PREFERRED)]
    return scaled(
        {
            name_of(node): sum(t["weight"] for t in wanted if term_matches(node, t["preference"]))
            for node in nodes
        }
    )


def score_fit(cluster: Plain, pod: Object, nodes: Sequence[Object]) -> dict[str, int]:
    strategy = cluster.settings.strategy

    def points(node: Object, name: str) -> int:
        total = amount(node, name)
        used = sum(asked_at_least(p, name) for p in [*cluster.on(node), pod])
        if strategy == "MostAllocated":
            return min(used, total) * 100 // total
        if strategy == "RequestedToCapacityRatio":
            return on_line(cluster.settings.shape, min(used * 100 // total, 100))
        return 0 if used > total else (total - used) * 100 // total

    def mean(node: Object) -> int:
        own = [points(node, "cpu"), points(node, "memory")]
        if strategy != "RequestedToCapacityRatio":
            return sum(own) // 2
        counted = [value for value in own if value]
        return math.floor(sum(counted) / max(len(counted), 1) + 0.5)

    return {name_of(node): mean(node) for node in nodes}


def on_line(shape: Sequence[tuple[int, int]], percent: int) -> int:
    """The score (0 to 100) at a percentage, on the line through the points, whose scores are 0 to 10."""
    if percent <= shape[0][0]:
        return shape[0][1] * 10
    for (x, y), (x2, y2) in pairwise(shape):
        if percent <= x2:
            return y * 10 + int(Fraction((y2 - y) * 10 * (percent - x), x2 - x))
    return shape[-1][1] * 10


def score_balance(cluster: Plain, pod: Object, nodes: Sequence[Object]) -> dict[str, int]:
    if not asked(pod, "cpu") and not asked(pod, "memory"):
        return {name_of(node): 0 for node in nodes}

    def evenness(node: Object, pods: Sequence[Object]) -> int:
        shares = [
            min(sum(asked(p, name) for p in pods) / amount(node, name), 1.0) for name in ("cpu", "memory")
        ]
        return int((1 - abs((shares[0] - shares[1]) / 2)) * 100)

    return {
        name_of(node): 50
        + (50 + evenness(node, [*cluster.on(node), pod]) - evenness(node, cluster.on(node))) // 2
        for node in nodes
    }


def score_spread(cluster: Plain, pod: Object, nodes: Sequence[Object]) -> dict[str, int]:
    constraints = constraints_of(cluster, pod, "ScheduleAnyway")
    if not constraints:
        return {name_of(node): 0 for node in nodes}
    wants_all = bool(spec_of(pod).get("topologySpreadConstraints"))
    keys = [constraint["topologyKey"] for constraint in constraints]
    scored = [n for n in nodes if not wants_all or all(key in labels_of(n) for key in keys)]
    raw = dict.fromkeys(map(name_of, scored), 0.0)
    for constraint in constraints:
        key = constraint["topologyKey"]
        domains = {labels_of(node).get(key, "") for node in scored}
        size = len(scored) if key == HOSTNAME else len(domains)
        for node in scored:
            if key not in labels_of(node):
                continue
            if key == HOSTNAME:
                count = matching(cluster, constraint, pod, node)
            else:
                count = sum(
                    matching(cluster, constraint, pod, other)
                    for other in cluster.nodes
                    if (not wants_all or all(k in labels_of(other) for k in keys))
                    and honours(constraint, pod, other)
                    and labels_of(other).get(key) == labels_of(node)[key]
                )
            raw[name_of(node)] += count * math.log(size + 2) + constraint["maxSkew"] - 1
    rounded = {name: math.floor(value + 0.5) for name, value in raw.items()}
    least, most = min(rounded.values(), default=0), max(rounded.values(), default=0)
    return {
        name_of(node): 0
        if name_of(node) not in rounded
        else 100
        if most == 0
        else 100 * (most + least - rounded[name_of(node)]) // most
        for node in nodes
    }


def score_pod_affinity(cluster: Plain, pod: Object, nodes: Sequence[Object]) -> dict[str, int]:
    raw = {name_of(node): 0 for node in nodes}
    settings = cluster.settings
    has_preferred = bool(terms(pod, "podAffinity", PREFERRED) or terms(pod, "podAntiAffinity", PREFERRED))
    for node in nodes:
        for other, at in cluster.all_placed():
            held: list[tuple[int, Mapping[str, Any], Object, Object]] = []
            sides = [(pod, other), (other, pod)]
            if settings.ignores_preferred and not has_preferred:
                sides.pop()  # what placed pods like counts nothing then
            for owner, target in sides:
                held += [
                    (t["weight"], t["podAffinityTerm"], owner, target)
                    for t in terms(owner, "podAffinity", PREFERRED)
                ]
                held += [
                    (-t["weight"], t["podAffinityTerm"], owner, target)
                    for t in terms(owner, "podAntiAffinity", PREFERRED)
                ]
            if settings.hard_weight and len(sides) > 1:
                held += [(settings.hard_weight, t, other, pod) for t in terms(other, "podAffinity", REQUIRED)]
            for weight, term, owner, target in held:
                if term_matches_pod(cluster, term, owner, target) and near(
                    cluster, pod, node, term, other, at
                ):
                    raw[name_of(node)] += weight
    least, most = min(raw.values(), default=0), max(raw.values(), default=0)
    if least == most:
        return dict.fromkeys(raw, 0)
    return {name: int(100 * ((value - least) / (most - least))) for name, value in raw.items()}


def score_images(cluster: Plain, pod: Object, nodes: Sequence[Object]) -> dict[str, int]:
    image = pod["spec"]["containers"][0]["image"]
    image = image if ":" in image else f"{image}:latest"

    def size(node: Object) -> int | None:
        return next((i["sizeBytes"] for i in node["status"].get("images") or () if image in i["names"]), None)

    having = sum(size(node) is not None for node in cluster.nodes)
    found = {}
    for node in nodes:
        total = int((size(node) or 0) * Fraction(having, len(cluster.nodes)))
        bounded = min(max(total, 23 * MIB), 1000 * MIB)
        found[name_of(node)] = 100 * (bounded - 23 * MIB) // (977 * MIB)
    return found


SCORES: tuple[tuple[str, Callable[[Plain, Object, Sequence[Object]], dict[str, int]]], ...] = (
    ("TaintToleration", score_taints),
    ("NodeAffinity", score_affinity),
    ("NodeResourcesFit", score_fit),
    ("PodTopologySpread", score_spread),
    ("InterPodAffinity", score_pod_affinity),
    ("NodeResourcesBalancedAllocation", score_balance),
    ("ImageLocality", score_images),
)
