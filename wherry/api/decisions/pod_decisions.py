"""PodDecision: why the scheduler put a pod where it is, or nowhere. Made when it is read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import NAME
from wherry.api.resource import Column, Resource, Strategy
from wherry.objects.meta import Object, name_of

GROUP, VERSION = "wherry.dev", "v1alpha1"


class PodDecisionStrategy(Strategy):
    """Only the row: nothing is ever written."""

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """Name, Node, Feasible, Message."""
        status = obj.get("status") or {}
        feasible = f"{status.get('feasible', 0)}/{status.get('nodes', 0)}"
        return [name_of(obj), status.get("nodeName") or "<none>", feasible, status.get("message") or ""]


POD_DECISIONS = Resource(
    group=GROUP,
    version=VERSION,
    kind="PodDecision",
    plural="poddecisions",
    namespaced=True,
    verbs=("get",),
    strategy=PodDecisionStrategy(),
    columns=(
        NAME,
        Column("Node", description="Where the pod goes"),
        Column("Feasible", description="How many nodes of all can take it"),
        Column("Message", description="Why it goes nowhere"),
    ),
    schema="dev.wherry.v1alpha1.PodDecision",
    is_stored=False,
    has_protobuf=False,
)
