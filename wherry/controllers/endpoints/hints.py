"""Hints of EndpointSlices: for which nodes or zones an endpoint is meant, as `trafficDistribution` asks for.

Source: staging/src/k8s.io/endpointslice/trafficdist. A Service with the older topology annotation gets the
hints of that (`topology`) and none of these.
"""

from __future__ import annotations

from wherry.api.core.services import wants_topology
from wherry.objects.meta import Object

SAME_NODE = "PreferSameNode"
NEAR = ("PreferClose", "PreferSameZone", SAME_NODE)


def distribution_of(service: Object) -> str:
    """How the service wants its traffic kept near, "" for not at all."""
    if wants_topology(service):
        return ""
    wanted = (service.get("spec") or {}).get("trafficDistribution") or ""
    return wanted if wanted in NEAR else ""


def hints_for(endpoint: Object, distribution: str) -> Object:
    """The hints of an endpoint, {} for none: those that are not ready have none."""
    if not distribution or not endpoint["conditions"]["ready"]:
        return {}
    hints: Object = {}
    if endpoint.get("zone"):
        hints["forZones"] = [{"name": endpoint["zone"]}]
    if endpoint.get("nodeName") and distribution == SAME_NODE:
        hints["forNodes"] = [{"name": endpoint["nodeName"]}]
    return hints
