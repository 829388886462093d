"""What slices mirror of an Endpoints object somebody wrote by hand.

Source: pkg/controller/endpointslicemirroring (reconciler.go, utils.go). Of each subset at most a thousand
addresses are mirrored; a slice holds all of one family and one set of ports.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from wherry.api.core.endpoints import ENDPOINTS
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.controllers.endpoints.slice_plan import SlicePlan
from wherry.controllers.endpoints.slices import MANAGED_BY, SERVICE_NAME
from wherry.controllers.endpoints.trigger_times import TRIGGER_TIME
from wherry.kit.portions import Portions, Work
from wherry.objects.meta import (
    Object,
    annotations_of,
    controller_ref,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
)

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
MOST_PER_SUBSET = 1000
_NOT_COPIED = (
    TRIGGER_TIME,
    "kubectl.kubernetes.io/last-applied-configuration",
)

_PortsKey = tuple[Any, ...]
_Place = tuple[str, _PortsKey]
"""(family, ports)"""


@dataclass(slots=True)
class Mirrored:
    """The endpoints by family and ports; how many addresses are none, and how many were passed over."""

    ports: dict[_Place, list[Object]] = field(default_factory=dict)
    endpoints: dict[_Place, list[Object]] = field(default_factory=dict)
    invalid: int = 0
    skipped: int = 0
    has_too_many: bool = False


def should_mirror(endpoints: Object) -> bool:
    """Whether anybody else's slices stand for these Endpoints, or nobody's are wanted."""
    return labels_of(endpoints).get(SKIP) != "true" and LEADER not in annotations_of(endpoints)


async def mirror(endpoints: Object) -> Mirrored:
    """The endpoints of all subsets, in portions."""
    made, portions = Mirrored(), Portions(Work.CONTROLLING)
    for subset in endpoints.get("subsets") or ():
        listed = [(address, True) for address in subset.get("addresses") or ()]
        listed += [(address, False) for address in subset.get("notReadyAddresses") or ()]
        found: dict[str, list[Object]] = {}
        mirrored = 0
        for address, is_ready in listed:
            await portions.next()
            if mirrored >= MOST_PER_SUBSET:
                made.has_too_many = True
                break
            family = _family(address.get("ip") or "")
            if family is None:
                made.invalid += 1
                continue
            mirrored += 1
            found.setdefault(family, []).append(_endpoint(address, is_ready))
        made.skipped += len(listed) - mirrored
        await portions.next()
        ports = [_port(port) for port in subset.get("ports") or ()]
        # A key is as long as the ports, and so is every look for it: once for a subset, not for an address.
        key = _key(ports)
        for family, more in found.items():
            made.ports.setdefault((family, key), ports)
            made.endpoints.setdefault((family, key), []).extend(more)
    return made


async def plan_mirror(endpoints: Object, mirrored: Mirrored, existing: Iterable[Object]) -> SlicePlan:
    """The writes after which there is one slice for each family and set of ports, and no other."""
    plan, left, portions = SlicePlan(), dict(mirrored.endpoints), Portions(Work.CONTROLLING)
    labels, annotations = _labels(endpoints), _annotations(endpoints)
    for piece in existing:
        await portions.next()
        if is_deleting(piece):
            continue
        place = (piece["addressType"], _key(piece.get("ports") or []))
        wanted = left.pop(place, None)
        if wanted is None:
            plan.delete.append(piece)
        elif (
            (piece.get("endpoints") or []) != wanted
            or labels_of(piece) != labels
            or annotations_of(piece) != annotations
        ):
            meta = {**piece["metadata"], "labels": labels, "annotations": annotations}
            plan.update.append({**piece, "metadata": meta, "endpoints": wanted})
    for place, wanted in left.items():
        plan.create.append(_slice(endpoints, place[0], mirrored.ports[place], wanted, labels, annotations))
    plan.recycle(endpoints)
    return plan


def _slice(
    endpoints: Object,
    family: str,
    ports: list[Object],
    wanted: list[Object],
    labels: dict[str, str],
    annotations: dict[str, str],
) -> Object:
    meta: Object = {
        "generateName": f"{name_of(endpoints)}-",
        "namespace": namespace_of(endpoints),
        "labels": labels,
        "ownerReferences": [controller_ref(endpoints, ENDPOINTS.api_version, ENDPOINTS.kind)],
    }
    if annotations:
        meta["annotations"] = annotations
    return {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": ENDPOINT_SLICES.kind,
        "metadata": meta,
        "addressType": family,
        "endpoints": wanted,
        "ports": ports,
    }


def _labels(endpoints: Object) -> dict[str, str]:
    return {**labels_of(endpoints), SERVICE_NAME: name_of(endpoints), MANAGED_BY: MANAGER}


def _annotations(endpoints: Object) -> dict[str, str]:
    return {key: value for key, value in annotations_of(endpoints).items() if key not in _NOT_COPIED}


def _endpoint(address: Object, is_ready: bool) -> Object:
    endpoint: Object = {"addresses": [address["ip"]], "conditions": {"ready": is_ready}}
    for name in ("hostname", "nodeName", "targetRef"):
        if address.get(name):
            endpoint[name] = address[name]
    return endpoint


def _port(port: Object) -> Object:
    found = {"name": port.get("name") or "", "port": port["port"], "protocol": port.get("protocol") or "TCP"}
    if port.get("appProtocol"):
        found["appProtocol"] = port["appProtocol"]
    return found


def _key(ports: Iterable[Object]) -> _PortsKey:
    names = ("name", "port", "protocol", "appProtocol")
    return tuple(sorted(tuple(str(port.get(name) or "") for name in names) for port in ports))


def _family(ip: str) -> str | None:
    try:
        return f"IPv{ip_address(ip).version}"
    except ValueError:
        return None
