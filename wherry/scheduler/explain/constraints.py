"""What a pod asks for that may keep it from nodes, each with how to do without it (`constraints_of`). Pure.

Only what belongs to plugins that rejected nodes is looked at, and no more than `MOST` of it: each costs a
look at all nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from wherry.objects.meta import Object
from wherry.objects.selectors import from_label_selector
from wherry.objects.taints import Taint, tolerates_any
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.matching import HARD_EFFECTS
from wherry.scheduler.plugins.node_unschedulable import CORDON
from wherry.scheduler.terms import DO_NOT_SCHEDULE, REQUIRED
from wherry.scheduler.world import World

MOST = 40
MOST_TAINTS = 8
"""So many sets of taints are tried, those of most nodes first."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """Something the pod could do without: what to change, where, and what could be done instead.

    `drop` takes it out of a pod it is handed, of which much is another's (see `without`). `resource` is the
    name of one that is asked for less, else "".
    """

    field: str
    change: str
    drop: Callable[[Object], None]
    instead: str = ""
    resource: str = ""


def constraints_of(pod: PodFacts, plugins: Collection[str], world: World) -> list[Constraint]:
    """What the pod asks of those plugins."""
    found = (
        constraint
        for plugin, reader in _READERS.items()
        if plugin in plugins
        for constraint in reader(pod, world)
    )
    return list(islice(found, MOST))


def without(pod: Object, constraints: Iterable[Constraint]) -> Object:
    """A pod that does without these. What stays as it is, the containers above all, is shared with `pod`."""
    spec = dict(_spec(pod))
    for name, depth in _DEPTHS.items():
        if spec.get(name):
            spec[name] = _copied(spec[name], depth)
    found: Object = {**pod, "metadata": dict(pod.get("metadata") or {}), "spec": spec}
    for constraint in constraints:
        constraint.drop(found)
    _close_gaps(found)
    return found


_DEPTHS = {"affinity": 6, "topologySpreadConstraints": 2}
"""How deep into a field of the spec something is written: down to the requirements of a node affinity's term.
Everything else is put in anew as a whole."""


def _copied(value: Any, depth: int) -> Any:
    """A copy whose maps and lists are its own down to this depth."""
    if not depth:
        return value
    if isinstance(value, dict):
        return {key: _copied(item, depth - 1) for key, item in value.items()}
    return [_copied(item, depth - 1) for item in value] if isinstance(value, list) else value


def _close_gaps(pod: Object) -> None:
    """Take out the terms that were dropped: until then the others kept their numbers."""
    affinity = _spec(pod).get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        if None in (rules.get(REQUIRED) or ()):
            rules[REQUIRED] = [term for term in rules[REQUIRED] if term is not None]
    to_nodes = affinity.get("nodeAffinity") or {}
    for term in (to_nodes.get(REQUIRED) or {}).get("nodeSelectorTerms") or ():
        if None not in (term.get("matchExpressions") or ()):
            continue
        term["matchExpressions"] = [one for one in term["matchExpressions"] if one is not None]
        if not term["matchExpressions"] and not term.get("matchFields"):
            _without_node_affinity(pod)  # an empty term would match nothing
            return


def _spec(pod: Object) -> Object:
    spec: Object = pod["spec"]
    return spec


def _cordon(_pod: PodFacts, _world: World) -> Iterator[Constraint]:
    yield Constraint(
        "spec.tolerations",
        "tolerate the taint node.kubernetes.io/unschedulable:NoSchedule",
        partial(_tolerate, (CORDON,)),
        "kubectl uncordon NODE",
    )


def _node_name(pod: PodFacts, _world: World) -> Iterator[Constraint]:
    yield Constraint(
        "spec.nodeName", f"remove nodeName {pod.node_name}", lambda found: _spec(found).pop("nodeName", None)
    )


def _taints(pod: PodFacts, world: World) -> Iterator[Constraint]:
    tolerations = pod.template.tolerations
    nodes = world.nodes
    counts = np.bincount(nodes.column(nodes.taints.codes) + 1, minlength=len(nodes.taints.values) + 1)[1:]
    sets: dict[tuple[Taint, ...], int] = {}
    for taints, count in zip(nodes.taints.values, counts, strict=True):
        out = tuple(
            taint
            for taint in taints or ()
            if taint[2] in HARD_EFFECTS and not tolerates_any(tolerations, taint)
        )
        if out and count:
            sets[out] = sets.get(out, 0) + int(count)
    for out in sorted(sets, key=lambda one: (len(one), -sets[one]))[:MOST_TAINTS]:
        shown = [_shown(taint) for taint in out]
        yield Constraint(
            "spec.tolerations",
            f"tolerate the taint{'s' if len(out) > 1 else ''} {' and '.join(shown)}",
            partial(_tolerate, out),
            "kubectl taint node NODE " + " ".join(f"{key}:{effect}-" for key, _, effect in out),
        )


def _shown(taint: Taint) -> str:
    key, value, effect = taint
    return f"{key}={value}:{effect}" if value else f"{key}:{effect}"


def _tolerate(taints: Sequence[Taint], pod: Object) -> None:
    more = [
        {"key": key, "operator": "Equal", "value": value, "effect": effect} for key, value, effect in taints
    ]
    _spec(pod)["tolerations"] = [*(_spec(pod).get("tolerations") or ()), *more]


def _is_the_systems(label: str) -> bool:
    """Whether a label is the kubelet's or the cloud's: changing it would lie about the node."""
    domain = label.rpartition("/")[0]
    return f".{domain}".endswith((".kubernetes.io", ".k8s.io"))


def _node_affinity(pod: PodFacts, _world: World) -> Iterator[Constraint]:
    for key, value in pod.template.node_selector.items():
        yield Constraint(
            "spec.nodeSelector",
            f"remove {key}={value} from the nodeSelector",
            partial(_without_selector, key),
            "" if _is_the_systems(key) else f"kubectl label node NODE {key}={value}",
        )
    if len(pod.template.node_selector) > 1:
        yield Constraint(
            "spec.nodeSelector",
            "remove the nodeSelector",
            lambda found: _spec(found).pop("nodeSelector", None),
        )
    terms = pod.template.required_terms
    path = f"spec.affinity.nodeAffinity.{REQUIRED}"
    if terms is None:
        return
    expressions: Sequence[Mapping[str, Any]] = (
        terms[0].get("matchExpressions") or () if len(terms) == 1 else ()
    )
    if len(expressions) > 1:
        for index, one in enumerate(expressions):
            yield Constraint(
                f"{path}.nodeSelectorTerms[0].matchExpressions[{index}]",
                f"remove the requirement {_requirement(one)} from the required node affinity",
                partial(_without_expression, index),
            )
    yield Constraint(path, "remove the required node affinity", _without_node_affinity)


def _requirement(requirement: Mapping[str, Any]) -> str:
    values = ", ".join(requirement.get("values") or ())
    return f"{requirement['key']} {requirement['operator']}" + (f" ({values})" if values else "")


def _without_selector(key: str, pod: Object) -> None:
    selector = dict(_spec(pod).get("nodeSelector") or {})
    selector.pop(key, None)
    _spec(pod)["nodeSelector"] = selector


def _without_expression(index: int, pod: Object) -> None:
    required = _spec(pod)["affinity"]["nodeAffinity"].get(REQUIRED)
    if required is not None:
        required["nodeSelectorTerms"][0]["matchExpressions"][index] = None


def _without_node_affinity(pod: Object) -> None:
    _spec(pod)["affinity"]["nodeAffinity"].pop(REQUIRED, None)


def _ports(pod: PodFacts, _world: World) -> Iterator[Constraint]:
    shown = ", ".join(f"{number}/{protocol}" for _, protocol, number in pod.template.host_ports)
    yield Constraint("spec.containers[*].ports", f"do without the host ports {shown}", _without_ports)


def _without_ports(pod: Object) -> None:
    for kind in ("containers", "initContainers"):
        if containers := _spec(pod).get(kind):
            _spec(pod)[kind] = [_without_host_ports(container) for container in containers]


def _without_host_ports(container: Object) -> Object:
    if not container.get("ports"):
        return container
    ports = [
        {name: value for name, value in port.items() if name != "hostPort"} for port in container["ports"]
    ]
    return {**container, "ports": ports}


def _requests(pod: PodFacts, _world: World) -> Iterator[Constraint]:
    for name, amount in pod.template.requests.items():
        if amount:
            yield Constraint(
                _field_of(pod, name), f"ask for less {name}", partial(ask_for, name, "0"), resource=name
            )


def _field_of(pod: PodFacts, resource: str) -> str:
    """Where the pod asks for it: in one container, or several."""
    asking = [
        index
        for index, container in enumerate(_spec(pod.pod).get("containers") or ())
        if resource in ((container.get("resources") or {}).get("requests") or {})
    ]
    whole = (_spec(pod.pod).get("resources") or {}).get("requests") or {}
    if resource in whole:
        return f"spec.resources.requests.{resource}"
    place = asking[0] if len(asking) == 1 else "*"
    return f"spec.containers[{place}].resources.requests.{resource}"


def ask_for(resource: str, amount: str, pod: Object) -> None:
    """Have the pod as a whole ask for so much of a resource, whatever its containers do."""
    spec = _spec(pod)
    whole = dict(spec.get("resources") or {})
    whole["requests"] = {**(whole.get("requests") or {}), resource: amount}
    spec["resources"] = whole
    if overhead := spec.get("overhead"):
        spec["overhead"] = {name: own for name, own in overhead.items() if name != resource}


def _claims(pod: PodFacts, _world: World) -> Iterator[Constraint]:
    names = ", ".join(name for name, _ in pod.claims)
    yield Constraint("spec.volumes", f"do without the claims {names}", _without_claims)


def _without_claims(pod: Object) -> None:
    volumes = _spec(pod).get("volumes") or ()
    _spec(pod)["volumes"] = [
        one for one in volumes if one.get("persistentVolumeClaim") is None and one.get("ephemeral") is None
    ]


def _spread(pod: PodFacts, _world: World) -> Iterator[Constraint]:
    for index, one in enumerate(_spec(pod.pod).get("topologySpreadConstraints") or ()):
        if one.get("whenUnsatisfiable") == DO_NOT_SCHEDULE:
            yield Constraint(
                f"spec.topologySpreadConstraints[{index}].whenUnsatisfiable",
                f"let the spreading over {one.get('topologyKey')} be ScheduleAnyway",
                partial(_spread_softly, index),
            )


def _spread_softly(index: int, pod: Object) -> None:
    _spec(pod)["topologySpreadConstraints"][index]["whenUnsatisfiable"] = "ScheduleAnyway"


def _pod_affinity(pod: PodFacts, _world: World) -> Iterator[Constraint]:
    affinity = _spec(pod.pod).get("affinity") or {}
    for kind, called in (("podAffinity", "affinity"), ("podAntiAffinity", "anti-affinity")):
        terms = (affinity.get(kind) or {}).get(REQUIRED) or ()
        for index, term in enumerate(terms):
            selector = from_label_selector(term.get("labelSelector"))
            yield Constraint(
                f"spec.affinity.{kind}.{REQUIRED}[{index}]",
                f"remove the required {called} to pods with {selector} in one {term.get('topologyKey')}",
                partial(_without_term, kind, index),
            )
    if pod.template.labels:
        yield Constraint(
            "metadata.labels",
            "have other labels than those that placed pods want to be apart from",
            lambda found: found["metadata"].pop("labels", None),
        )


def _without_term(kind: str, index: int, pod: Object) -> None:
    _spec(pod)["affinity"][kind][REQUIRED][index] = None


Reader = Callable[[PodFacts, World], Iterator[Constraint]]
_READERS: Mapping[str, Reader] = {
    "NodeUnschedulable": _cordon,
    "NodeName": _node_name,
    "TaintToleration": _taints,
    "NodeAffinity": _node_affinity,
    "NodePorts": _ports,
    "NodeResourcesFit": _requests,
    "VolumeBinding": _claims,
    "PodTopologySpread": _spread,
    "InterPodAffinity": _pod_affinity,
}
"""What a plugin's rejections hang on, by its name."""
