"""What a pod asks of a node, as the scheduler counts it, and the quality of service that follows.

Regular containers and sidecars run together and add up; init containers run one after another, each
beside the sidecars started before it, so only the largest moment counts. Overhead comes on top.

While a pod is resized it holds more than its spec says: `held_requests` also counts what the node has
allocated and what its containers really have (`PodRequests` with `UseStatusResources`,
component-helpers/resource).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from wherry.objects.quantity import parse_quantity

Amounts = dict[str, Decimal]
QosClass = Literal["Guaranteed", "Burstable", "BestEffort"]

_NOTHING: Mapping[str, Any] = {}
_ZERO = Decimal(0)
_QOS_RESOURCES = ("cpu", "memory")


def pod_requests(pod: Mapping[str, Any]) -> Amounts:
    """The pod's requests by resource name: cores, bytes, counts.

    Requests set for the pod as a whole replace those of its containers. Raises ValueError for an
    amount that is no quantity (no stored pod has one).
    """
    return _total(pod.get("spec") or _NOTHING, "requests")


def pod_limits(pod: Mapping[str, Any]) -> Amounts:
    """The pod's limits by resource name, counted like requests."""
    return _total(pod.get("spec") or _NOTHING, "limits")


def aggregate_requests(spec: Mapping[str, Any]) -> Amounts:
    """What the containers of a pod's spec request together, at the largest moment, without overhead."""
    return _aggregate(spec, "requests")


def aggregate_limits(spec: Mapping[str, Any]) -> Amounts:
    """What the containers of a pod's spec are limited to together, counted like requests."""
    return _aggregate(spec, "limits")


def held_requests(pod: Mapping[str, Any]) -> Amounts:
    """What a pod holds of its node: the most of what it requests, was allocated, and its containers have.

    What it requests does not count while the node says that it can never have it.
    """
    spec = pod.get("spec") or _NOTHING
    status = reported_amounts(pod)
    if status is None:
        return _total(spec, "requests")
    known = _container_statuses(status)
    counted = [] if is_infeasible(pod) else [_aggregate(spec, "requests")]
    whole = status.get("resources") or _NOTHING
    if status.get("allocatedResources") and whole.get("requests"):
        counted += [_amounts(status["allocatedResources"]), _amounts(whole["requests"])]
    else:
        counted += [
            _aggregate_by(spec, _allocated_to(known)),
            _aggregate_by(spec, _actual_of(known, "requests")),
        ]
    total = _most(counted)
    asked = (spec.get("resources") or _NOTHING).get("requests")
    if asked:
        total.update(_held_whole(pod, asked, [whole.get("requests"), status.get("allocatedResources")]))
    return _with_overhead(total, spec, "requests")


def held_limits(pod: Mapping[str, Any]) -> Amounts:
    """What a pod is limited to, counted like what it holds."""
    spec = pod.get("spec") or _NOTHING
    status = reported_amounts(pod)
    if status is None:
        return _total(spec, "limits")
    counted = [] if is_infeasible(pod) else [_aggregate(spec, "limits")]
    total = _most([*counted, _aggregate_by(spec, _actual_of(_container_statuses(status), "limits"))])
    whole = status.get("resources") or _NOTHING
    if asked := (spec.get("resources") or _NOTHING).get("limits"):
        total.update(_held_whole(pod, asked, [whole.get("limits")]))
    return _with_overhead(total, spec, "limits")


def reported_amounts(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The part of the status that tells of other amounts than the spec; None while there is none."""
    status = pod.get("status")
    if not status or not (status.get("containerStatuses") or status.get("initContainerStatuses")):
        return None
    spec = pod.get("spec") or _NOTHING
    whole = spec.get("resources")
    if not whole or _is_as_asked(whole, status):
        own = {one.get("name"): one for field, _ in _STATUSES for one in spec.get(field) or ()}
        for _, statuses in _STATUSES:
            for one in status.get(statuses) or ():
                asked = (own.get(one.get("name")) or _NOTHING).get("resources") or _NOTHING
                if not _is_as_asked(asked, one):
                    return _reported(status)
        return None
    return _reported(status)


def is_infeasible(pod: Mapping[str, Any]) -> bool:
    """Whether the node says that it can never give the pod what its spec asks for."""
    conditions = (pod.get("status") or _NOTHING).get("conditions") or ()
    return any(c.get("type") == "PodResizePending" and c.get("reason") == "Infeasible" for c in conditions)


_STATUSES = (("containers", "containerStatuses"), ("initContainers", "initContainerStatuses"))
_AMOUNTS = ("resources", "allocatedResources")


def _reported(status: Mapping[str, Any]) -> dict[str, Any]:
    """Only the amounts of a status, and why a resize is pending."""
    pending = [c for c in status.get("conditions") or () if c.get("type") == "PodResizePending"]
    told: dict[str, Any] = {
        statuses: [
            {name: one.get(name) for name in ("name", *_AMOUNTS)} for one in status.get(statuses) or ()
        ]
        for _, statuses in _STATUSES
    }
    told["reasons"] = [c.get("reason") for c in pending]
    return told | {name: status[name] for name in _AMOUNTS if status.get(name)}


def _is_as_asked(asked: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Whether what is told of a container, or of the pod as a whole, is what the spec asks for."""
    requests, limits = asked.get("requests") or _NOTHING, asked.get("limits") or _NOTHING
    actual, allocated = told.get("resources"), told.get("allocatedResources")
    if actual and (
        (actual.get("requests") or _NOTHING) != requests or (actual.get("limits") or _NOTHING) != limits
    ):
        return False
    return not allocated or allocated == requests


def _container_statuses(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one.get("name") or "": one for _, field in _STATUSES for one in status.get(field) or ()}


def _allocated_to(known: Mapping[str, Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], Amounts]:
    def allocated(container: Mapping[str, Any]) -> Amounts:
        told = (known.get(container.get("name") or "") or _NOTHING).get("allocatedResources")
        return _amounts(told) if told else _of(container, "requests")

    return allocated


def _actual_of(known: Mapping[str, Mapping[str, Any]], field: str) -> Callable[[Mapping[str, Any]], Amounts]:
    def actual(container: Mapping[str, Any]) -> Amounts:
        one = known.get(container.get("name") or "") or _NOTHING
        told = (one.get("resources") or _NOTHING).get(field)
        if not told and field == "requests":
            told = one.get("allocatedResources")
        return _amounts(told) if told else _of(container, field)

    return actual


def _held_whole(
    pod: Mapping[str, Any], asked: Mapping[str, Any], told: Iterable[Mapping[str, Any] | None]
) -> Amounts:
    """The most of what is asked for the pod as a whole and what was told of it."""
    others = [_amounts(one) for one in told if one]
    most = _most([*others, *([] if others and is_infeasible(pod) else [_amounts(asked)])])
    return {name: amount for name, amount in most.items() if name in asked}


def _most(several: Iterable[Amounts]) -> Amounts:
    most: Amounts = {}
    for amounts in several:
        _raise_to(most, amounts)
    return most


def _total(spec: Mapping[str, Any], field: str) -> Amounts:
    total = _aggregate(spec, field)
    if whole := (spec.get("resources") or _NOTHING).get(field):
        total.update(_amounts(whole))
    return _with_overhead(total, spec, field)


def _with_overhead(total: Amounts, spec: Mapping[str, Any], field: str) -> Amounts:
    if overhead := spec.get("overhead"):
        for name, amount in _amounts(overhead).items():
            if field == "requests" or name in total:
                total[name] = total.get(name, _ZERO) + amount
    return total


def _aggregate(spec: Mapping[str, Any], field: str) -> Amounts:
    return _aggregate_by(spec, lambda container: _of(container, field))


def _aggregate_by(spec: Mapping[str, Any], of: Callable[[Mapping[str, Any]], Amounts]) -> Amounts:
    running: Amounts = {}
    for container in spec.get("containers") or ():
        _add(running, of(container))
    init: Sequence[Mapping[str, Any]] = spec.get("initContainers") or ()
    if not init:
        return running
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in init:
        amounts = of(container)
        if container.get("restartPolicy") == "Always":
            _add(running, amounts)
            _add(sidecars, amounts)
            moment = {name: sidecars[name] for name in amounts}
        else:
            moment = {name: sidecars.get(name, _ZERO) + amount for name, amount in amounts.items()}
        # Of what this container does not ask for there is no more than there was a moment ago.
        _raise_to(starting, moment)
    _raise_to(running, starting)
    return running


def _of(container: Mapping[str, Any], field: str) -> Amounts:
    found = (container.get("resources") or _NOTHING).get(field)
    return _amounts(found) if found else {}


def _amounts(quantities: Mapping[str, Any]) -> Amounts:
    return {name: parse_quantity(quantity) for name, quantity in quantities.items()}


def _add(total: Amounts, more: Amounts) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, _ZERO) + amount


def _raise_to(total: Amounts, least: Amounts) -> None:
    for name, amount in least.items():
        if name not in total or total[name] < amount:
            total[name] = amount


def qos_class(pod: Mapping[str, Any]) -> QosClass:
    """Guaranteed when every container has limits for cpu and memory that its requests equal,
    BestEffort when none asks for either, Burstable otherwise."""
    spec = pod.get("spec") or _NOTHING
    whole = spec.get("resources") or _NOTHING
    if whole.get("requests") or whole.get("limits"):
        parts = [whole]
    else:
        parts = [
            container.get("resources") or _NOTHING
            for field in ("containers", "initContainers")
            for container in spec.get(field) or ()
        ]
    requests: Amounts = {}
    limits: Amounts = {}
    guaranteed = True
    for part in parts:
        _add(requests, _counted(part.get("requests")))
        limited = _counted(part.get("limits"))
        _add(limits, limited)
        guaranteed = guaranteed and len(limited) == len(_QOS_RESOURCES)
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if guaranteed and requests == limits else "Burstable"


def _counted(quantities: Mapping[str, Any] | None) -> Amounts:
    """cpu and memory, where more than nothing is asked."""
    if not quantities:
        return {}
    amounts = {
        name: parse_quantity(quantities[name]) for name in _QOS_RESOURCES if quantities.get(name) is not None
    }
    return {name: amount for name, amount in amounts.items() if amount > 0}
