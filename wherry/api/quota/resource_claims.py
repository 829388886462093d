"""ResourceClaims against a quota: how many, and how many devices of each class they may get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from wherry.api.quota.amounts import ONE, Amounts, add
from wherry.api.quota.evaluator import CREATE, UPDATE, CountEvaluator, count_name
from wherry.objects.meta import Object

GROUP = "resource.k8s.io"
_COUNT = count_name(GROUP, "resourceclaims")
_DEVICES = ".deviceclass.resource.k8s.io/devices"
_MOST_DEVICES = Decimal(32)
"""As many devices as one claim can be given: what asking for all of them counts as."""


class ResourceClaimEvaluator(CountEvaluator):
    """See the module."""

    def __init__(self) -> None:
        super().__init__(GROUP, "resourceclaims")

    def handles(self, subresource: str, operation: str) -> bool:
        """Creations and updates."""
        return not subresource and operation in (CREATE, UPDATE)

    def matching(self, names: Iterable[str]) -> list[str]:
        """Claims, and devices by class."""
        return [name for name in names if name == _COUNT or name.endswith(_DEVICES)]

    def usage(self, obj: Object, now: datetime) -> Amounts:
        """One claim, and the devices it asks for in the worst case."""
        used: Amounts = {_COUNT: ONE}
        devices = ((obj.get("spec") or {}).get("devices") or {}).get("requests") or ()
        for request in devices:
            add(used, _worst_case(request))
        return used


def _worst_case(request: Mapping[str, Any]) -> Amounts:
    alternatives = request.get("firstAvailable")
    if not alternatives:
        exact = request.get("exactly") or request
        return _devices(exact)
    most: Amounts = {}
    for alternative in alternatives:
        for name, amount in _devices(alternative).items():
            most[name] = max(most.get(name, amount), amount)
    return most


def _devices(asked: Mapping[str, Any]) -> Amounts:
    if not asked.get("deviceClassName"):
        return {}
    takes_all = asked.get("allocationMode") == "All"
    amount = _MOST_DEVICES if takes_all else Decimal(asked.get("count") or 1)
    return {asked["deviceClassName"] + _DEVICES: amount}
