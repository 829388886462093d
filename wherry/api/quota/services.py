"""Services against a quota: how many, and how many node ports and load balancers they take."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from wherry.api.quota.amounts import ONE, ZERO, Amounts
from wherry.api.quota.evaluator import CREATE, UPDATE, CountEvaluator, count_name
from wherry.objects.meta import Object

_COUNT = count_name("", "services")
_NODE_PORTS, _LOAD_BALANCERS = "services.nodeports", "services.loadbalancers"
_NAMES = frozenset({"services", _COUNT, _NODE_PORTS, _LOAD_BALANCERS})


class ServiceEvaluator(CountEvaluator):
    """See the module."""

    def __init__(self) -> None:
        super().__init__("", "services")

    def handles(self, subresource: str, operation: str) -> bool:
        """Creations, and updates, which may change the type."""
        return not subresource and operation in (CREATE, UPDATE)

    def matching(self, names: Iterable[str]) -> list[str]:
        """The counts of services, node ports and load balancers."""
        return [name for name in names if name in _NAMES]

    def usage(self, obj: Object, now: datetime) -> Amounts:
        """One service, and what its type takes."""
        spec = obj.get("spec") or {}
        ports = spec.get("ports") or []
        node_ports, load_balancers = 0, ZERO
        if spec.get("type") == "NodePort":
            node_ports = len(ports)
        elif spec.get("type") == "LoadBalancer":
            load_balancers = ONE
            # The ports are not given out yet when this is asked: what is meant counts.
            allocates = spec.get("allocateLoadBalancerNodePorts") is not False
            node_ports = len(ports) if allocates else sum(1 for port in ports if port.get("nodePort"))
        return {
            _COUNT: ONE,
            "services": ONE,
            _NODE_PORTS: Decimal(node_ports),
            _LOAD_BALANCERS: load_balancers,
        }
