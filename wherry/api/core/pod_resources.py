"""What a pod asks of a node, as the scheduler counts it, and the quality of service that follows.

Regular containers and sidecars run together and add up; init containers run one after another, each
beside the sidecars started before it, so only the largest moment counts. Overhead comes on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def _total(spec: Mapping[str, Any], field: str) -> Amounts:
    total = _aggregate(spec, field)
    if whole := (spec.get("resources") or _NOTHING).get(field):
        total.update(_amounts(whole))
    if overhead := spec.get("overhead"):
        for name, amount in _amounts(overhead).items():
            if field == "requests" or name in total:
                total[name] = total.get(name, _ZERO) + amount
    return total


def _aggregate(spec: Mapping[str, Any], field: str) -> Amounts:
    running: Amounts = {}
    for container in spec.get("containers") or ():
        _add(running, _of(container, field))
    init: Sequence[Mapping[str, Any]] = spec.get("initContainers") or ()
    if not init:
        return running
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in init:
        amounts = _of(container, field)
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
