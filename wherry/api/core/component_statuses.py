"""ComponentStatus: health of the control plane, long deprecated; computed on reading."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import NAME
from wherry.api.resource import Column, Resource, Strategy
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object, name_of


class ComponentStatusStrategy(Strategy):
    """Only the row: nothing is ever written."""

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """Name, Status, Message, Error."""
        condition = find_condition(obj.get("conditions"), "Healthy") or {}
        status = {"True": "Healthy", "False": "Unhealthy"}.get(condition.get("status") or "", "Unknown")
        return [name_of(obj), status, condition.get("message") or "", condition.get("error") or ""]


COMPONENT_STATUSES = Resource(
    group="",
    version="v1",
    kind="ComponentStatus",
    plural="componentstatuses",
    namespaced=False,
    short_names=("cs",),
    verbs=("get", "list"),
    strategy=ComponentStatusStrategy(),
    columns=(
        NAME,
        Column("Status", description="Status of the component conditions"),
        Column("Message", description="Message of the component conditions"),
        Column("Error", description="Error of the component conditions"),
    ),
    schema="io.k8s.api.core.v1.ComponentStatus",
    deprecation="v1 ComponentStatus is deprecated in v1.19+",
)
