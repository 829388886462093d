"""Simulated nodes: what they are made of (`NodeTemplate`), and what they do by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import wherry
from wherry.api.core.node_features import RESIZE_FEATURES
from wherry.api.core.nodes import NODES
from wherry.api.core.simulated import SIMULATED
from wherry.client.transport import STRATEGIC_PATCH
from wherry.hollow.conditions import NODE_CONDITIONS
from wherry.hollow.documents import Fields, StageError, documents
from wherry.hollow.outcomes import API_VERSION, NodeOutcome
from wherry.hollow.stages import Delay, Patch, Stage, Surroundings
from wherry.objects.conditions import find_condition, is_true, with_condition
from wherry.objects.meta import Object, annotations_of, format_time, metadata, name_of, parse_time
from wherry.objects.quantity import parse_quantity

LOST = "hollow.wherry.dev/lost"
"""The annotation, "true", of a simulated node that has stopped: no heartbeats, and its pods do nothing."""
POOL = "hollow.wherry.dev/pool"
"""The label of nodes made from a template: its name."""
INDEX = "{index}"
KUBELET_VERSION = "v1.37.0"
CAPACITY = {"cpu": "32", "ephemeral-storage": "1Ti", "memory": "256Gi", "pods": "110"}
STATUS_S = 300.0
"""How often an unchanged status is written anew (kubelet's nodeStatusReportFrequency)."""
LEASE_S = 40
"""A lease's duration (kubelet's nodeLeaseDurationSeconds)."""
RENEWALS_OF_LEASE = 4
"""How often a lease is renewed in its duration, as kubelets do."""
MOST_RENEWALS_PER_S = 100
"""Of all nodes together, unless a template says how long its leases last."""
MOST_NODES = 100_000
LATEST_REPORT = 1.1
"""How much longer than `status_s` it may be until an unchanged status is written anew: reports are spread."""


NO_HEARTBEAT = ", so that nothing would say that nodes live; give one of them"


def is_lost(node: Object) -> bool:
    """Whether the node has stopped."""
    return annotations_of(node).get(LOST) == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTemplate:
    """What nodes are made of.

    `name` has `{index}` in it, which counts from 0; `zones` go round. `allocatable` is as `capacity` where it
    says nothing else. `lease_s` is how long a lease lasts (0: no leases, None: `LEASE_S`, or longer with many
    nodes), `status_s` how often an unchanged status is written anew (0: never). Without leases the status is
    what says that a node lives, as with KWOK's nodes (its node-heartbeat stage), so one of the two is needed.
    """

    pool: str = "hollow"
    count: int = 0
    name: str = "hollow-{index}"
    capacity: Mapping[str, str] = field(default_factory=lambda: dict(CAPACITY))
    allocatable: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()
    region: str = ""
    zones: Sequence[str] = ()
    lease_s: int | None = None
    status_s: float = STATUS_S

    def __post_init__(self) -> None:
        if INDEX not in self.name:
            raise ValueError(f"name {self.name!r}: must contain {INDEX}, or all nodes had the same")
        if not 0 <= self.count <= MOST_NODES:
            raise ValueError(f"count {self.count}: must be between 0 and {MOST_NODES}")
        for name, value in (("lease_s", self.lease_s or 0), ("status_s", self.status_s)):
            if value < 0:
                raise ValueError(f"{name} {value}: is negative; use 0 or more seconds")
        if self.lease_s == 0 and not self.status_s:
            raise ValueError(f"lease_s and status_s are both 0{NO_HEARTBEAT}, such as status_s=3600")

    @property
    def lease_duration_s(self) -> int:
        """How long a lease lasts, in seconds; 0 for no leases."""
        if self.lease_s is not None:
            return self.lease_s
        return max(LEASE_S, -(-RENEWALS_OF_LEASE * self.count // MOST_RENEWALS_PER_S))

    @property
    def heartbeat_s(self) -> float:
        """After how many seconds at most a living node has said so again: by its lease, else its status."""
        return self.lease_duration_s or self.status_s * LATEST_REPORT

    def node_name(self, index: int) -> str:
        """The name of the node of that number."""
        return self.name.replace(INDEX, str(index))

    def names(self) -> list[str]:
        """The names of all its nodes."""
        return [self.node_name(index) for index in range(self.count)]

    def node(self, index: int, address: str, now: datetime, *, is_ready: bool = True) -> Object:
        """The Node of that number, as its kubelet registers it; without conditions unless it `is_ready`."""
        name, moment = self.node_name(index), format_time(now)
        labels = {
            "beta.kubernetes.io/arch": "amd64",
            "beta.kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            POOL: self.pool,
        }
        if self.region:
            labels["topology.kubernetes.io/region"] = self.region
        if self.zones:
            labels["topology.kubernetes.io/zone"] = self.zones[index % len(self.zones)]
        spec: Object = {"taints": [dict(taint) for taint in self.taints]} if self.taints else {}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": {**labels, **self.labels},
                "annotations": {**self.annotations, SIMULATED: "fake"},
            },
            "spec": spec,
            "status": {
                "capacity": dict(self.capacity),
                "allocatable": {**self.capacity, **self.allocatable},
                **({"conditions": ready_conditions((), moment)} if is_ready else {}),
                "addresses": addresses(name, [address]),
                "declaredFeatures": list(RESIZE_FEATURES),
                "nodeInfo": node_info(name),
            },
        }


def addresses(name: str, ips: Sequence[str]) -> list[Object]:
    """A node's addresses."""
    return [
        *({"type": "InternalIP", "address": ip} for ip in ips),
        {"type": "Hostname", "address": name},
    ]


def node_info(name: str) -> Object:
    """What a node says of its machine: that there is none."""
    return {
        "architecture": "amd64",
        "bootID": name,
        "containerRuntimeVersion": f"hollow://{wherry.__version__}",
        "kernelVersion": "hollow",
        "kubeProxyVersion": KUBELET_VERSION,
        "kubeletVersion": KUBELET_VERSION,
        "machineID": name,
        "operatingSystem": "linux",
        "osImage": "simulated",
        "systemUUID": name,
    }


def ready_conditions(old: Sequence[Object], now: str) -> list[Object]:
    """All is well, as of now."""
    conditions: list[Object] = [dict(condition) for condition in old]
    for wanted in NODE_CONDITIONS[:4]:
        conditions = with_condition(
            conditions,
            wanted["type"],
            wanted["status"],
            now,
            wanted["reason"],
            wanted["message"],
            lastHeartbeatTime=now,
        )
    ours = [condition["type"] for condition in NODE_CONDITIONS[:4]]
    return [condition for condition in conditions if condition["type"] in ours]


def _is_all_well(node: Object) -> bool:
    """Whether the conditions are those of a node that is well, whatever their times."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    return [tuple(map(condition.get, _WORDS)) for condition in conditions] == _WELL


_WORDS = ("type", "status", "reason", "message")
_WELL = [tuple(map(condition.get, _WORDS)) for condition in NODE_CONDITIONS[:4]]


def node_stages(status_s: float, outcomes: Sequence[NodeOutcome] = ()) -> tuple[Stage, ...]:
    """What nodes do by themselves: they become Ready, say so now and then, and may be lost."""
    stages = [_initialize(), *(_lose(outcome) for outcome in outcomes if outcome.lost_after_s is not None)]
    return (*stages, _report(status_s)) if status_s else tuple(stages)


def _is_ready(node: Object) -> bool:
    status = node.get("status") or {}
    return is_true(status.get("conditions"), "Ready") and bool(status.get("capacity"))


def _initialize() -> Stage:
    def change(node: Object, around: Surroundings) -> Object:
        old, name = node.get("status") or {}, name_of(node)
        capacity = old.get("capacity") or CAPACITY
        status = {
            "conditions": ready_conditions(old.get("conditions") or (), format_time(around.now())),
            "capacity": capacity,
            "allocatable": old.get("allocatable") or capacity,
            "addresses": addresses(name, around.node_ips(name)),
            "nodeInfo": old.get("nodeInfo")
            if (old.get("nodeInfo") or {}).get("kubeletVersion")
            else node_info(name),
        }
        return {"status": status}

    return Stage(
        name="node-initialize",
        resource=NODES,
        matches=lambda node: not _is_ready(node),
        steps=lambda _: (Patch(change, STRATEGIC_PATCH, "status"),),
        is_ordered=True,
    )


def _report(status_s: float) -> Stage:
    def change(node: Object, around: Surroundings) -> Object:
        old = (node.get("status") or {}).get("conditions") or ()
        return {"status": {"conditions": ready_conditions(old, format_time(around.now()))}}

    def delay(node: Object, now: datetime) -> Delay:
        ready = find_condition((node.get("status") or {}).get("conditions"), "Ready") or {}
        since = parse_time(ready.get("lastHeartbeatTime") or metadata(node)["creationTimestamp"])
        left_s = (since - now).total_seconds()
        # Spread, so that nodes made together do not report together for ever.
        return Delay(max(left_s + 0.9 * status_s, 0.0), max(left_s + LATEST_REPORT * status_s, 0.0))

    patch = Patch(change, STRATEGIC_PATCH, "status", is_heartbeat=_is_all_well)
    return Stage(
        name="node-report",
        resource=NODES,
        matches=_is_ready,
        steps=lambda _: (patch,),
        delay=delay,
        is_ordered=True,
        to_the_second=True,
    )


def _lose(outcome: NodeOutcome) -> Stage:
    after_s = outcome.lost_after_s or 0.0

    def delay(node: Object, now: datetime) -> Delay:
        return Delay((parse_time(metadata(node)["creationTimestamp"]) - now).total_seconds() + after_s)

    def change(_node: Object, _around: Surroundings) -> Object:
        return lost_patch(is_lost=True)

    return Stage(
        name=f"node-lost-{outcome.name}",
        resource=NODES,
        matches=lambda node: LOST not in annotations_of(node) and outcome.chosen.fits(node),
        steps=lambda _: (Patch(change, STRATEGIC_PATCH),),
        delay=delay,
        is_ordered=True,
    )


def lost_patch(*, is_lost: bool) -> Object:
    """What says of a node that it has stopped, or that it is back (no outcome loses it again)."""
    return {"metadata": {"annotations": {LOST: "true" if is_lost else "false"}}}


_FIELDS = (
    "allocatable",
    "annotations",
    "capacity",
    "count",
    "labels",
    "leaseDuration",
    "name",
    "region",
    "statusEvery",
    "taints",
    "zones",
)


def read_template_file(path: Path) -> NodeTemplate:
    """The template of a file. Raises StageError, also for a file that cannot be read."""
    try:
        return read_template(path.read_text(), str(path))
    except (OSError, UnicodeError) as error:
        raise StageError(f"{path}: cannot be read: {error}") from error


def read_template(text: str, file: str) -> NodeTemplate:
    """A `Nodes` document; `file` is what errors name. Raises StageError."""
    found = documents(text, file, {(API_VERSION, "Nodes")})
    if len(found) != 1:
        raise StageError(f"{file}: has {len(found)} documents of kind Nodes; write one")
    return template_from(found[0])


def template_from(fields: Fields) -> NodeTemplate:
    """One Nodes. Raises StageError."""
    fields.known("apiVersion", "kind", "metadata", "spec")
    spec = fields.map("spec")
    spec.known(*_FIELDS)
    lease_s, status_s = spec.seconds("leaseDuration"), spec.seconds("statusEvery")
    if lease_s is not None and lease_s % 1:
        raise spec.error("leaseDuration", f"must be whole seconds, but is {lease_s:g} s; write 1s or more")
    if lease_s == 0 and status_s == 0:
        raise spec.error("statusEvery", f"is 0, as is leaseDuration{NO_HEARTBEAT}, such as statusEvery: 1h")
    given: dict[str, Any] = {
        "pool": fields.map("metadata").text("name"),
        "count": spec.integer("count", least=0, most=MOST_NODES),
        "name": spec.text("name"),
        "capacity": {**CAPACITY, **_quantities(spec, "capacity")},
        "allocatable": _quantities(spec, "allocatable"),
        "labels": spec.texts("labels"),
        "annotations": spec.texts("annotations"),
        "taints": [_taint(item) for item in spec.maps("taints")],
        "region": spec.text("region"),
        "zones": spec.words("zones"),
        "lease_s": None if lease_s is None else int(lease_s),
        "status_s": status_s,
    }
    try:
        made = NodeTemplate(**{key: value for key, value in given.items() if value not in (None, "")})
    except ValueError as error:
        raise spec.error("name", str(error)) from error
    _check(made, fields)
    return made


_STANDS_FOR = {"metadata.labels": "spec.labels", "metadata.annotations": "spec.annotations"}
_STANDS_FOR |= {"metadata.name": "spec.name", "metadata.taints": "spec.taints"}
_STANDS_FOR |= {"status.capacity": "spec.capacity", "status.allocatable": "spec.allocatable"}
"""Where in a document stands what the API names by where it stands in a node."""


def _check(template: NodeTemplate, fields: Fields) -> None:
    """Raise StageError for a template whose nodes the API would refuse: the last has the longest name."""
    node = template.node(max(template.count - 1, 0), "10.0.0.1", datetime.now(UTC))
    for error in NODES.strategy.validate(node, None):
        for ours, theirs in _STANDS_FOR.items():
            if error.field.startswith(ours):
                raise fields.error(theirs + error.field.removeprefix(ours), error.message)
        raise fields.error(error.field, error.message)


def _quantities(spec: Fields, name: str) -> dict[str, str]:
    inner = spec.map(name)
    found = {key: str(value) for key, value in inner.values.items()}
    for key, value in found.items():
        try:
            parse_quantity(value)
        except ValueError as error:
            raise inner.error(key, str(error)) from error
    return found


def _taint(fields: Fields) -> dict[str, str]:
    fields.known("effect", "key", "value")
    effects = {effect: effect for effect in ("NoExecute", "NoSchedule", "PreferNoSchedule")}
    effect = fields.choice("effect", effects)
    if effect is None:
        raise fields.error("effect", f"is required; one of {', '.join(effects)}")
    found = {"key": fields.text("key", required=True), "effect": effect}
    value = fields.text("value")
    return {**found, "value": value} if value else found
