"""What was found for a claim, as its `status.allocation` (AllocationResult). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.objects.meta import Object
from wherry.scheduler.devices.device import Device
from wherry.scheduler.devices.wanted import Request, Wanted


@dataclass(frozen=True, slots=True)
class Given:
    """A device for a request. `consumed` is (published name, text) of each portion, None for all of it."""

    request: Request
    device: Device
    consumed: Mapping[str, str] | None = None


def allocation(wanted: Wanted, given: Sequence[Given], node: str, shares: Iterable[str]) -> Object:
    """The allocation of a claim on a node; `shares` gives the ids of portions."""
    ids = iter(shares)
    results = [_result(one, ids) for one in given]
    devices: Object = {}
    if results:
        devices["results"] = results
    if config := _config(wanted, given):
        devices["config"] = config
    found: Object = {"devices": devices}
    if (selector := _node_selector(given, node)) is not None:
        found["nodeSelector"] = selector
    return found


def _result(one: Given, shares: Any) -> Object:
    result: Object = {
        "request": one.request.full_name,
        "driver": one.device.id.driver,
        "pool": one.device.id.pool,
        "device": one.device.id.name,
    }
    if one.request.is_admin:
        result["adminAccess"] = True
    if one.request.tolerations:
        result["tolerations"] = [dict(toleration) for toleration in one.request.tolerations]
    for field in ("bindingConditions", "bindingFailureConditions"):
        if one.device.spec.get(field):
            result[field] = list(one.device.spec[field])
    if one.consumed is not None:
        result["shareID"] = next(shares)
        if one.consumed:
            result["consumedCapacity"] = dict(one.consumed)
    return result


def _config(wanted: Wanted, given: Sequence[Given]) -> list[Object]:
    """Configuration of the classes, each once, then of the claim."""
    chosen = {one.request.parent or one.request.name: one.request for one in given}
    requests = [chosen.get(parts[0].parent or parts[0].name) or parts[0] for parts in wanted.requests]
    found: list[Object] = []
    of_class: dict[str, list[Object]] = {}
    for request in requests:
        if request.class_name in of_class:
            for config in of_class[request.class_name]:
                config["requests"].append(request.full_name)
            continue
        of_class[request.class_name] = [
            {**config, "source": "FromClass", "requests": [request.full_name]}
            for config in (request.device_class.get("spec") or {}).get("config") or ()
        ]
        found += of_class[request.class_name]
    names = {name for request in requests for name in request.names}
    for config in ((wanted.claim.get("spec") or {}).get("devices") or {}).get("config") or ():
        if not config.get("requests") or not names.isdisjoint(config["requests"]):
            found.append({**config, "source": "FromClaim"})
    return found


def _node_selector(given: Sequence[Given], node: str) -> Object | None:
    """The nodes from which all the devices can be used; None for any."""
    expressions: list[Any] = []
    fields: list[Any] = []
    for one in given:
        place = one.device.place
        if place.get("nodeName") or one.device.spec.get("bindsToNode"):
            requirement = {"key": "metadata.name", "operator": "In", "values": [node]}
            return {"nodeSelectorTerms": [{"matchFields": [requirement]}]}
        for term in (place.get("nodeSelector") or {}).get("nodeSelectorTerms") or ():
            _add(expressions, term.get("matchExpressions") or ())
            _add(fields, term.get("matchFields") or ())
    if not expressions and not fields:
        return None
    term = {"matchExpressions": expressions} if expressions else {}
    if fields:
        term["matchFields"] = fields
    return {"nodeSelectorTerms": [term]}


def _add(found: list[Any], more: Iterable[Any]) -> None:
    found += [item for item in more if item not in found]
