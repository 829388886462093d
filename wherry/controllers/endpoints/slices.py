"""Planning a service's EndpointSlices: what they hold, and the fewest writes to get there.

Addresses are spread over slices of at most 100, one set of slices per address family and set of
ports. An address that is in a slice stays there; new ones fill the gaps, the fullest slice first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from wherry.api.core.pod_conditions import is_ready
from wherry.api.core.services import SERVICES, wants_topology
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.controllers.endpoints.hints import distribution_of, hints_for
from wherry.controllers.endpoints.members import (
    Port,
    copied_labels,
    families_of,
    hostname_in,
    ip_of_family,
    is_headless,
    members_of,
    ports_for,
    publishes_unready,
    reference_to,
)
from wherry.controllers.endpoints.slice_plan import SlicePlan
from wherry.kit.portions import Portions, Work
from wherry.objects.meta import (
    Object,
    controller_ref,
    is_controlled_by,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
)

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
SLICE_LIMIT = 100

ZoneOf: TypeAlias = Callable[[str], str]
"""A node's name to its zone, "" if it has none."""

PortsKey: TypeAlias = tuple[Any, ...]


@dataclass(slots=True)
class _Group:
    """The endpoints of one set of ports, by identity."""

    ports: list[Port]
    endpoints: dict[tuple[str, str], Object] = field(default_factory=dict)


async def plan_slices(
    service: Object, pods: Sequence[Object], existing: Iterable[Object], zone_of: ZoneOf
) -> SlicePlan:
    """Compare the service's pods with its `existing` slices (only those of our making), in portions.

    Slices of a service of that name that is gone go, too: they are the garbage collector's.
    """
    plan, portions = SlicePlan(), Portions(Work.CONTROLLING)
    families = families_of(service)
    by_family: dict[str, list[Object]] = {family: [] for family in families}
    for piece in existing:
        if is_deleting(piece):
            continue
        is_ours = is_controlled_by(piece, service)
        (by_family.get(piece["addressType"], plan.delete) if is_ours else plan.delete).append(piece)
    members = await members_of(service, pods, portions, with_terminating=True)
    for family in families:
        groups = await _group(service, members, family, zone_of, portions)
        await _plan_family(service, groups, family, by_family[family], plan, portions)
    plan.recycle(service)
    return plan


async def _plan_family(
    service: Object,
    groups: dict[PortsKey, _Group],
    family: str,
    existing: list[Object],
    plan: SlicePlan,
    portions: Portions,
) -> None:
    if not groups:
        # A slice without endpoints tells readers that this is known, not just not there yet.
        groups = {(): _Group([])}
    leftover: dict[PortsKey, list[Object]] = {}
    for piece in existing:
        await portions.next()
        key = _ports_key(piece.get("ports") or [])
        if key in groups:
            leftover.setdefault(key, []).append(piece)
        else:
            plan.delete.append(piece)
    for key, group in groups.items():
        await _plan_group(service, family, group, leftover.get(key, []), plan, portions)


async def _group(
    service: Object, members: Iterable[Object], family: str, zone_of: ZoneOf, portions: Portions
) -> dict[PortsKey, _Group]:
    groups: dict[PortsKey, _Group] = {}
    for pod in members:
        await portions.next()
        ip = ip_of_family(pod, family)
        ports = ports_for(service, pod)
        if ip is None or (not ports and not (is_headless(service) and not service["spec"].get("ports"))):
            continue
        endpoint = make_endpoint(service, pod, ip, zone_of)
        group = groups.setdefault(_ports_key(ports), _Group(ports))
        group.endpoints[_identity(endpoint)] = endpoint
    return groups


def make_endpoint(service: Object, pod: Object, ip: str, zone_of: ZoneOf) -> Object:
    """One entry of a slice."""
    serving, terminating = is_ready(pod), is_deleting(pod)
    node = (pod.get("spec") or {}).get("nodeName") or ""
    endpoint: Object = {
        "addresses": [ip],
        "conditions": {
            "ready": publishes_unready(service) or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": reference_to(pod),
    }
    if hostname_in(service, pod):
        endpoint["hostname"] = hostname_in(service, pod)
    if node:
        endpoint["nodeName"] = node
        if zone_of(node):
            endpoint["zone"] = zone_of(node)
    if hints := hints_for(endpoint, distribution_of(service)):
        endpoint["hints"] = hints
    return endpoint


async def _plan_group(
    service: Object,
    family: str,
    group: _Group,
    existing: list[Object],
    plan: SlicePlan,
    portions: Portions,
) -> None:
    wanted, keeps_hints = dict(group.endpoints), wants_topology(service)
    kept = []
    for piece in existing:
        await portions.next()
        kept.append((piece, _kept_endpoints(piece, wanted, keeps_hints=keeps_hints)))
    fresh = list(wanted.values())
    for _, endpoints in sorted(kept, key=lambda pair: -len(pair[1])):
        room = SLICE_LIMIT - len(endpoints)
        endpoints.extend(fresh[:room])
        fresh = fresh[room:]
    remaining = sum(bool(endpoints) for _, endpoints in kept)
    for piece, endpoints in kept:
        if not endpoints and (remaining or fresh):
            plan.delete.append(piece)
            continue
        await portions.next()
        remaining = remaining or 1  # of several empty slices one stays
        updated = _filled(service, piece, endpoints)
        if updated != piece:
            plan.update.append(updated)
    for start in range(0, len(fresh), SLICE_LIMIT):
        plan.create.append(_new_slice(service, family, group.ports, fresh[start : start + SLICE_LIMIT]))
    if not existing and not group.endpoints:
        plan.create.append(_new_slice(service, family, group.ports, []))


def _kept_endpoints(
    piece: Object, wanted: dict[tuple[str, str], Object], *, keeps_hints: bool
) -> list[Object]:
    """The endpoints that stay in this slice, in their new form; they are taken out of `wanted`."""
    kept = []
    for endpoint in (piece.get("endpoints") or ())[:SLICE_LIMIT]:
        found = wanted.pop(_identity(endpoint), None)
        if found is None:
            continue
        if keeps_hints and endpoint.get("hints") and found["conditions"]["ready"]:
            found = {**found, "hints": endpoint["hints"]}
        kept.append(found)
    return kept


def _identity(endpoint: Object) -> tuple[str, str]:
    return (endpoint.get("targetRef") or {}).get("uid", ""), endpoint["addresses"][0]


def _ports_key(ports: Iterable[Port]) -> PortsKey:
    return tuple(
        sorted(
            (p.get("name") or "", p.get("port") or 0, p.get("protocol") or "TCP", p.get("appProtocol") or "")
            for p in ports
        )
    )


def labels_for(service: Object) -> dict[str, str]:
    """The labels of the service's slices."""
    return copied_labels(service, {SERVICE_NAME: name_of(service), MANAGED_BY: MANAGER})


def _filled(service: Object, piece: Object, endpoints: list[Object]) -> Object:
    labels = labels_for(service)
    if (piece.get("endpoints") or []) == endpoints and labels_of(piece) == labels:
        return piece
    return {**piece, "metadata": {**piece["metadata"], "labels": labels}, "endpoints": endpoints}


def _new_slice(service: Object, family: str, ports: list[Port], endpoints: list[Object]) -> Object:
    return {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": ENDPOINT_SLICES.kind,
        "metadata": {
            "generateName": f"{name_of(service)}-",
            "namespace": namespace_of(service),
            "labels": labels_for(service),
            "ownerReferences": [controller_ref(service, SERVICES.api_version, SERVICES.kind)],
        },
        "addressType": family,
        "endpoints": endpoints,
        "ports": ports,
    }
