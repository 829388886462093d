"""Which fields a Service's type calls for, and what a write keeps of what was allocated before.

Clients send services back without the addresses and ports the server had given, and change the type
without clearing what no longer applies. These functions make the obvious of it, in place; giving out
what is then still missing is the API server's part.
"""

from __future__ import annotations

from typing import Any

from wherry.api.core.pod_spec.rules import Fields
from wherry.objects.meta import Object

HEADLESS = "None"
_EXTERNAL_NAME = "ExternalName"
_FAMILIES = ("ipFamilies", "ipFamilyPolicy")


def is_external_name(spec: Fields) -> bool:
    """Whether the service is only another name."""
    return spec.get("type") == _EXTERNAL_NAME


def is_headless(spec: Fields) -> bool:
    """Whether the service has no address of its own, on purpose."""
    ips = spec.get("clusterIPs")
    return list(ips) == [HEADLESS] if ips else spec.get("clusterIP") == HEADLESS


def needs_cluster_ip(spec: Fields) -> bool:
    """Whether the service has (or is to get) cluster addresses, "None" among them."""
    return not is_external_name(spec)


def needs_node_ports(spec: Fields) -> bool:
    """Whether each port is to get a node port."""
    kind = spec.get("type")
    return kind == "NodePort" or (
        kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    )


def needs_health_check_port(spec: Fields) -> bool:
    """Whether a load balancer asks each node if it has endpoints."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def is_externally_accessible(spec: Fields) -> bool:
    """Whether traffic from outside the cluster can come in."""
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def prepare_fields(new: Object, old: Object | None) -> None:
    """Bring a service about to be written into shape, given the stored one."""
    spec = new["spec"]
    before = (old.get("spec") or {}) if old is not None else None
    normalize_cluster_ips(spec, before)
    if before is not None:
        keep_allocated(spec, before)
        drop_unfit(spec, before)


def normalize_cluster_ips(spec: dict[str, Any], before: Fields | None) -> None:
    """Make `clusterIPs` follow `clusterIP`, for clients that know only the one."""
    ip, ips = spec.get("clusterIP") or "", list(spec.get("clusterIPs") or ())
    changed = before is not None and ip != (before.get("clusterIP") or "")
    if before is not None and changed and ips == list(before.get("clusterIPs") or ()):
        ips = []
    elif ips:
        return
    if ip and (before is None or changed):
        spec["clusterIPs"] = [ip]
    elif not ips:
        spec.pop("clusterIPs", None)


def keep_allocated(spec: dict[str, Any], before: Fields) -> None:
    """Take over addresses and ports given earlier, where the new version leaves them out."""
    if needs_cluster_ip(spec) and needs_cluster_ip(before):
        if not spec.get("clusterIP") and before.get("clusterIP"):
            spec["clusterIP"] = before["clusterIP"]
        if not spec.get("clusterIPs") and spec.get("clusterIP") == before.get("clusterIP"):
            _set(spec, "clusterIPs", before.get("clusterIPs"))
        for field in _FAMILIES:
            if not spec.get(field):
                _set(spec, field, before.get(field))
    if needs_node_ports(spec) and needs_node_ports(before):
        _keep_node_ports(spec, before)
    if (
        needs_health_check_port(spec)
        and needs_health_check_port(before)
        and not spec.get("healthCheckNodePort")
    ):
        _set(spec, "healthCheckNodePort", before.get("healthCheckNodePort"))


def _keep_node_ports(spec: Fields, before: Fields) -> None:
    given = {
        (port.get("protocol"), port.get("port")): port["nodePort"]
        for port in before.get("ports") or ()
        if port.get("nodePort")
    }
    ports = spec.get("ports") or ()
    used = {port["nodePort"] for port in ports if port.get("nodePort")}
    for port in ports:
        number = given.get((port.get("protocol"), port.get("port")))
        if not port.get("nodePort") and number and number not in used:
            port["nodePort"] = number
            used.add(number)


def drop_unfit(spec: dict[str, Any], before: Fields) -> None:
    """Drop what the old type needed and the new one does not, unless the client just set it."""
    if is_external_name(before) and not is_external_name(spec):
        _drop_same(spec, before, "externalName")
    if needs_cluster_ip(before) and not needs_cluster_ip(spec):
        if list(spec.get("clusterIPs") or ()) == list(before.get("clusterIPs") or ()):
            _drop_same(spec, before, "clusterIP")
        for field in ("clusterIPs", *_FAMILIES):
            _drop_same(spec, before, field)
    if needs_node_ports(before) and not needs_node_ports(spec):
        numbers = [_node_ports(part) for part in (spec, before)]
        if numbers[0] == numbers[1]:
            for port in spec.get("ports") or ():
                port.pop("nodePort", None)
    if needs_health_check_port(before) and not needs_health_check_port(spec):
        _drop_same(spec, before, "healthCheckNodePort")
    if before.get("type") == "LoadBalancer" and spec.get("type") != "LoadBalancer":
        _drop_same(spec, before, "allocateLoadBalancerNodePorts")
        _drop_same(spec, before, "loadBalancerClass")
    if is_externally_accessible(before) and not is_externally_accessible(spec):
        _drop_same(spec, before, "externalTrafficPolicy")


def _node_ports(spec: Fields) -> set[int]:
    return {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}


def _drop_same(spec: dict[str, Any], before: Fields, field: str) -> None:
    if spec.get(field) == before.get(field):
        spec.pop(field, None)


def _set(spec: dict[str, Any], field: str, value: Any) -> None:
    """Lists are copied: the stored object is shared."""
    if value:
        spec[field] = list(value) if isinstance(value, list) else value
