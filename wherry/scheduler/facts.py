"""What the scheduler wants to know of a pod, read once for all pods that ask for the same.

Pods made from one template differ in nothing a decision depends on: they share a `Template` (upstream's pod
signature, KEP-5598), found again by the bytes it was read from. Quantities become whole numbers: CPU in
millicores, everything else rounded up to units. Containers that ask for nothing count with upstream's 100m
and 200 MiB when nodes are compared (never when it is checked whether they fit), so that many small pods
still spread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakValueDictionary

import orjson

from wherry.api.core.pod_resources import held_requests, reported_amounts
from wherry.objects.meta import Object, controller_of, is_deleting, key_of, labels_of, name_of, uid_of
from wherry.scheduler.features import features_needed
from wherry.scheduler.terms import NO_TERMS, PodTerms, SpreadConstraint, read_spread, read_terms

DEFAULT_REQUESTS = {"cpu": "100m", "memory": "200Mi"}
LARGEST_AMOUNT = 1 << 55
"""More of anything is as good as this: sums and hundredfolds of it still fit 64 bits."""

MOST_TERMS = 100
"""So many affinity terms, or spread constraints, of one pod are looked at: some 20 ms of everybody's."""
MOST_REQUIREMENTS = 200
"""So many requirements on nodes' labels and fields: each is held against all values there are."""
MOST_TOLERATIONS = 500

_NODE_TERM_PARTS = ("matchExpressions", "matchFields")

HostPort = tuple[str, str, int]
"""(host address or 0.0.0.0, protocol, port)."""
DEFAULT_SCHEDULER = "default-scheduler"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Template:
    """What pods ask of a node and of each other. Equal ones are the same object.

    `requests` has CPU in millicores under "cpu", bytes or counts under the other names; `score_requests` the
    same with upstream's defaults for containers that ask for none. `ports` are those of the host.
    """

    namespace: str
    labels: Mapping[str, str]
    label_set: frozenset[tuple[str, str]]
    """The same, to compare by."""
    priority: int
    may_preempt: bool
    scheduler_name: str
    owner: Mapping[str, Any] | None
    """The reference to its controller."""
    requests: Mapping[str, int]
    score_requests: Mapping[str, int]
    host_ports: tuple[HostPort, ...]
    images: tuple[str, ...]
    node_selector: Mapping[str, str]
    required_terms: tuple[Mapping[str, Any], ...] | None
    preferred_terms: tuple[Mapping[str, Any], ...]
    tolerations: tuple[Mapping[str, Any], ...]
    terms: PodTerms
    """Affinity to pods."""
    spread: tuple[SpreadConstraint, ...]
    features: frozenset[str] = frozenset()
    """What of its node not every kubelet can do."""
    trouble: str = ""
    """Why such pods cannot be scheduled, whatever nodes there are; what they use counts all the same."""


@dataclass(frozen=True, slots=True, eq=False)
class PodFacts:
    """One pod as the plugins see it: what it asks for is in `template`."""

    key: str
    uid: str
    template: Template
    node_name: str
    nominated_node: str
    is_deleting: bool
    claims: tuple[tuple[str, bool], ...]
    """Names of its PersistentVolumeClaims, and whether each is made for the pod alone (ephemeral)."""
    pod: Object = field(repr=False)

    @property
    def priority(self) -> int:
        """`spec.priority`, 0 if unset."""
        return self.template.priority


class PodReader:
    """Reads pods; remembers the templates somebody holds."""

    def __init__(self) -> None:
        self._templates: WeakValueDictionary[bytes, Template] = WeakValueDictionary()

    def read(self, pod: Object) -> PodFacts:
        """The facts of a pod. Raises ValueError for quantities or selectors that are none."""
        spec: Mapping[str, Any] = pod.get("spec") or {}
        key = _template_key(pod, spec)
        template = self._templates.get(key)
        if template is None:
            template = self._templates[key] = read_template(pod)
        return _facts(pod, template)


def read_changed(known: PodFacts, pod: Object) -> PodFacts:
    """The facts of a pod that differs little from one that is known: only what depends on that is read.

    What the two share should be the same objects, then they are compared in no time. Raises ValueError as
    `PodReader.read` does.
    """
    before, after = (_parts(one) for one in (known.pod, pod))
    changed: dict[str, Any] = {}
    for names, read in _READERS:
        if any(before.get(name) != after.get(name) for name in names):
            changed |= read(pod)
    return _facts(pod, replace(known.template, **changed) if changed else known.template)


def _parts(pod: Object) -> dict[str, Any]:
    """What templates are read from, by name."""
    return {
        **(pod.get("spec") or {}),
        "metadata": pod.get("metadata") or {},
        "reported": reported_amounts(pod),
    }


def _facts(pod: Object, template: Template) -> PodFacts:
    spec: Mapping[str, Any] = pod.get("spec") or {}
    status: Mapping[str, Any] = pod.get("status") or {}
    return PodFacts(
        key=key_of(pod),
        uid=uid_of(pod),
        template=template,
        node_name=spec.get("nodeName") or "",
        nominated_node=status.get("nominatedNodeName") or "",
        is_deleting=is_deleting(pod),
        claims=_claims(pod, spec) if spec.get("volumes") else (),
        pod=pod,
    )


_CONTAINER = ("image", "resources", "ports", "restartPolicy", "restartPolicyRules")
_SPEC = (
    "schedulerName",
    "priority",
    "preemptionPolicy",
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "overhead",
    "resources",
    "hostNetwork",
    "hostUsers",
)


def _template_key(pod: Object, spec: Mapping[str, Any]) -> bytes:
    """The bytes of everything `read_template` looks at."""
    owner = controller_of(pod) or {}
    return orjson.dumps(
        (
            (pod.get("metadata") or {}).get("namespace"),
            labels_of(pod),
            owner.get("kind"),
            owner.get("name"),
            [[c.get(name) for name in _CONTAINER] for c in spec.get("containers") or ()],
            [[c.get(name) for name in _CONTAINER] for c in spec.get("initContainers") or ()],
            [spec.get(name) for name in _SPEC],
            [volume["image"] for volume in spec.get("volumes") or () if volume.get("image")],
            reported_amounts(pod),
        ),
        option=orjson.OPT_SORT_KEYS,  # a pod that is written again may come with its fields in another order
    )


def read_template(pod: Object) -> Template:
    """What a pod asks for."""
    found: dict[str, Any] = {}
    for _, read in _READERS:
        found |= read(pod)
    return Template(**found)


def _read_own(pod: Object) -> dict[str, Any]:
    """What the pod says of itself."""
    spec: Mapping[str, Any] = pod.get("spec") or {}
    return {
        "namespace": (pod.get("metadata") or {}).get("namespace") or "",
        "labels": labels_of(pod),
        "label_set": frozenset(labels_of(pod).items()),
        "priority": spec.get("priority") or 0,
        "may_preempt": spec.get("preemptionPolicy") != "Never",
        "scheduler_name": spec.get("schedulerName") or DEFAULT_SCHEDULER,
        "owner": controller_of(pod),
    }


def _read_containers(pod: Object) -> dict[str, Any]:
    spec: Mapping[str, Any] = pod.get("spec") or {}
    return {"host_ports": _host_ports(spec), "features": features_needed(spec)}


def _read_images(pod: Object) -> dict[str, Any]:
    return {"images": tuple(_images(pod.get("spec") or {}))}


def _read_amounts(pod: Object) -> dict[str, Any]:
    spec: Mapping[str, Any] = pod.get("spec") or {}
    for_scores = {**pod, "spec": {**spec, **_with_defaults(spec)}}
    return {"requests": _amounts(pod), "score_requests": _amounts(for_scores)}


def _read_placing(pod: Object) -> dict[str, Any]:
    """What the pod wants of nodes and of others, as far as that is not too much."""
    spec: Mapping[str, Any] = pod.get("spec") or {}
    affinity = spec.get("affinity") or {}
    to_nodes = affinity.get("nodeAffinity") or {}
    required = to_nodes.get("requiredDuringSchedulingIgnoredDuringExecution")
    namespace = (pod.get("metadata") or {}).get("namespace") or ""
    terms, spread, trouble = NO_TERMS, tuple[SpreadConstraint, ...](), _too_much(spec)
    if not trouble:
        try:
            terms = read_terms(affinity, namespace)
            spread = read_spread(spec.get("topologySpreadConstraints") or (), labels_of(pod))
        except ValueError as error:
            trouble = str(error)
    return {
        "node_selector": spec.get("nodeSelector") or {},
        "required_terms": None if required is None else tuple(required.get("nodeSelectorTerms") or ()),
        "preferred_terms": tuple(to_nodes.get("preferredDuringSchedulingIgnoredDuringExecution") or ()),
        "tolerations": tuple(spec.get("tolerations") or ()),
        "terms": terms,
        "spread": spread,
        "trouble": trouble,
    }


def _too_much(spec: Mapping[str, Any]) -> str:
    """Whether a pod wants more of others than can be looked at without keeping everybody waiting."""
    affinity = spec.get("affinity") or {}
    count = sum(
        len(terms or ())
        for kind in ("podAffinity", "podAntiAffinity")
        for terms in (affinity.get(kind) or {}).values()
    )
    if count > MOST_TERMS:
        return f"spec.affinity: {count} terms about pods, of which {MOST_TERMS} at most are looked at"
    count = len(spec.get("topologySpreadConstraints") or ())
    if count > MOST_TERMS:
        return f"spec.topologySpreadConstraints: {count} of them, of which {MOST_TERMS} at most are looked at"
    count = sum(len(term.get(part) or ()) for term in _node_terms(affinity) for part in _NODE_TERM_PARTS)
    if count > MOST_REQUIREMENTS:
        what = f"{count} requirements on nodes"
        return f"spec.affinity.nodeAffinity: {what}, of which {MOST_REQUIREMENTS} at most are looked at"
    count = len(spec.get("tolerations") or ())
    if count > MOST_TOLERATIONS:
        return f"spec.tolerations: {count} of them, of which {MOST_TOLERATIONS} at most are looked at"
    return ""


def _node_terms(affinity: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The terms about nodes, required and preferred."""
    about = affinity.get("nodeAffinity") or {}
    yield from (about.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get(
        "nodeSelectorTerms"
    ) or ()
    for preferred in about.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
        yield preferred.get("preference") or {}


def _images(spec: Mapping[str, Any]) -> Iterator[str]:
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or ():
            yield container.get("image") or ""
    for volume in spec.get("volumes") or ():
        if volume.get("image"):
            yield volume["image"].get("reference") or ""


def _amounts(pod: Mapping[str, Any]) -> dict[str, int]:
    return {
        name: min(math.ceil(amount * 1000 if name == "cpu" else amount), LARGEST_AMOUNT)
        for name, amount in held_requests(pod).items()
    }


def _with_defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The containers of a spec, each asking for something (upstream's NonMissingContainerRequests)."""
    return {
        kind: [
            {**container, "resources": {"requests": {**DEFAULT_REQUESTS, **_requests_of(container)}}}
            for container in spec.get(kind) or ()
        ]
        for kind in ("containers", "initContainers")
    }


def _requests_of(container: Mapping[str, Any]) -> Mapping[str, Any]:
    return (container.get("resources") or {}).get("requests") or {}


def _claims(pod: Object, spec: Mapping[str, Any]) -> tuple[tuple[str, bool], ...]:
    found = []
    for volume in spec["volumes"]:
        if volume.get("persistentVolumeClaim") is not None:
            found.append((volume["persistentVolumeClaim"].get("claimName") or "", False))
        elif volume.get("ephemeral") is not None:
            # As upstream's controller calls it (component-helpers/storage/ephemeral, VolumeClaimName).
            found.append((f"{name_of(pod)}-{volume['name']}", True))
    return tuple(found)


def _host_ports(spec: Mapping[str, Any]) -> tuple[HostPort, ...]:
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return tuple(
        (port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", port["hostPort"])  # noqa: S104
        for container in [*(spec.get("containers") or ()), *sidecars]
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )


_READERS: tuple[tuple[tuple[str, ...], Callable[[Object], dict[str, Any]]], ...] = (
    (("metadata", "priority", "preemptionPolicy", "schedulerName"), _read_own),
    (("containers", "initContainers", "hostNetwork", "hostUsers"), _read_containers),
    (("containers", "initContainers", "volumes"), _read_images),
    (("containers", "initContainers", "resources", "overhead", "reported"), _read_amounts),
    (
        ("metadata", "affinity", "topologySpreadConstraints", "nodeSelector", "tolerations"),
        _read_placing,
    ),
)
"""The parts of a template: from which fields of the spec (and the metadata) each is read, and how."""
