"""Endpoints: all addresses of a service in one object, the kind older clients read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from wherry.api.core.endpoints import ENDPOINTS
from wherry.api.core.pod_conditions import is_ready
from wherry.api.core.services import SERVICES
from wherry.controllers.base import create_unless_present
from wherry.controllers.endpoints.members import (
    by_label,
    copied_labels,
    families_of,
    hostname_in,
    ip_of_family,
    is_headless,
    members_of,
    ports_for,
    publishes_unready,
    reference_to,
    selects,
)
from wherry.controllers.endpoints.service_controller import ServiceController
from wherry.controllers.endpoints.trigger_times import TRIGGER_TIME, stamped
from wherry.kit.portions import Portions, Work
from wherry.objects.meta import Object, annotations_of, labels_of, name_of, namespace_of

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
CAPACITY = 1000


async def plan_subsets(service: Object, pods: Iterable[Object]) -> list[Object]:
    """The subsets, in portions: addresses with the same ports together, ready ones apart from the others."""
    groups: dict[tuple[Any, ...], Object] = {}
    portions, terminating = Portions(Work.CONTROLLING), publishes_unready(service)
    for pod in await members_of(service, pods, portions, with_terminating=terminating):
        await portions.next()
        ip = ip_of_family(pod, families_of(service)[0])
        ports = [_port(port) for port in ports_for(service, pod)]
        if ip is None or (not ports and not _is_portless(service)):
            continue
        ready = publishes_unready(service) or is_ready(pod)
        group = groups.setdefault(tuple(tuple(sorted(p.items())) for p in ports), {})
        group.setdefault("addresses" if ready else "notReadyAddresses", []).append(_address(service, pod, ip))
        if ports:
            group["ports"] = sorted(ports, key=lambda port: (port.get("name", ""), port["port"]))
    for group in groups.values():
        for addresses in (group.get("addresses"), group.get("notReadyAddresses")):
            if addresses:
                addresses.sort(key=lambda address: (address["ip"], address["targetRef"]["uid"]))
    return [groups[ports] for ports in sorted(groups, key=repr)]


def _is_portless(service: Object) -> bool:
    return is_headless(service) and not service["spec"].get("ports")


def _port(port: Object) -> Object:
    return {key: value for key, value in port.items() if value != ""}


def _address(service: Object, pod: Object, ip: str) -> Object:
    address: Object = {"ip": ip}
    if hostname_in(service, pod):
        address["hostname"] = hostname_in(service, pod)
    node = (pod.get("spec") or {}).get("nodeName")
    if node:
        address["nodeName"] = node
    address["targetRef"] = reference_to(pod)
    return address


def truncate(subsets: list[Object], capacity: int = CAPACITY) -> bool:
    """Cut the subsets down to `capacity` addresses, in place, ready ones kept first; whether any went."""
    left, cut = capacity, False
    for name in ("addresses", "notReadyAddresses"):
        for subset in subsets:
            addresses = subset.get(name)
            if not addresses:
                continue
            if len(addresses) > left:
                cut = True
                subset[name] = addresses[:left]
                if not subset[name]:
                    del subset[name]
            left -= min(left, len(addresses))
    subsets[:] = [s for s in subsets if s.get("addresses") or s.get("notReadyAddresses")]
    return cut


class EndpointsController(ServiceController):
    """Keeps the Endpoints object of each service."""

    name = "endpoint"
    account = "endpoint-controller"
    watches: ClassVar = {ENDPOINTS: by_label("")}

    async def sync(self, key: str) -> float | None:
        """Write the service's Endpoints if they differ; remove those of a service that is gone."""
        self.note_sync(key)
        service = self.cache.get(SERVICES, key)
        current = self.cache.get(ENDPOINTS, key)
        if service is None:
            self.trigger_times.forget(key)
            # Without our mark they may be somebody's who has no service yet.
            if current is not None and labels_of(current).get(MANAGED_BY) == MANAGER:
                await self.delete(key, ENDPOINTS, current)
            return None
        if not selects(service):
            return None
        pods = await self.members.pods_of(service)
        since = await self.trigger_times.look(key, service, pods)
        wanted = stamped(await self._wanted(service, pods), since)
        if current is None:
            await create_unless_present(self, key, ENDPOINTS, wanted)
        elif not _same(current, wanted):
            await self.update(key, ENDPOINTS, _merged(current, wanted))
        return None

    async def _wanted(self, service: Object, pods: Iterable[Object]) -> Object:
        subsets = await plan_subsets(service, pods)
        meta: Object = {
            "name": name_of(service),
            "namespace": namespace_of(service),
            "labels": copied_labels(service, {MANAGED_BY: MANAGER}),
        }
        if truncate(subsets):
            meta["annotations"] = {OVER_CAPACITY: "truncated"}
        wanted: Object = {"apiVersion": ENDPOINTS.api_version, "kind": ENDPOINTS.kind, "metadata": meta}
        if subsets:
            wanted["subsets"] = subsets
        return wanted


def _same(current: Object, wanted: Object) -> bool:
    return (
        (current.get("subsets") or []) == wanted.get("subsets", [])
        and labels_of(current) == labels_of(wanted)
        and annotations_of(current).get(OVER_CAPACITY) == annotations_of(wanted).get(OVER_CAPACITY)
    )


def _merged(current: Object, wanted: Object) -> Object:
    """`current` with what we write of it; other annotations stay."""
    own = (OVER_CAPACITY, TRIGGER_TIME)
    annotations = {k: v for k, v in annotations_of(current).items() if k not in own}
    meta = {**current["metadata"], "labels": wanted["metadata"]["labels"]}
    meta["annotations"] = {**annotations, **annotations_of(wanted)}
    merged = {**current, "metadata": meta, "subsets": wanted.get("subsets", [])}
    if not meta["annotations"]:
        del meta["annotations"]
    return merged
