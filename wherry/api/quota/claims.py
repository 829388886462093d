"""PersistentVolumeClaims against a quota: how many, and how much storage, also by storage class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

from wherry.api.quota.amounts import ONE, Amounts
from wherry.api.quota.evaluator import CREATE, UPDATE, CountEvaluator, Scope, count_name
from wherry.objects.meta import Object, annotations_of
from wherry.objects.quantity import parse_quantity

BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_COUNT = count_name("", "persistentvolumeclaims")
_CLAIMS, _STORAGE = "persistentvolumeclaims", "requests.storage"
_OF_CLASS = ".storageclass.storage.k8s.io/"
_NAMES = frozenset({_CLAIMS, _STORAGE, _COUNT})
_SUFFIXES = (_OF_CLASS + _CLAIMS, _OF_CLASS + _STORAGE)
_NOTHING: Mapping[str, Any] = {}


class ClaimEvaluator(CountEvaluator):
    """See the module."""

    def __init__(self) -> None:
        super().__init__("", "persistentvolumeclaims")

    def handles(self, subresource: str, operation: str) -> bool:
        """Creations, and updates, which may ask for more."""
        return not subresource and operation in (CREATE, UPDATE)

    def matching(self, names: Iterable[str]) -> list[str]:
        """Claims and storage, altogether and by class."""
        return [name for name in names if name in _NAMES or name.endswith(_SUFFIXES)]

    def usage(self, obj: Object, now: datetime) -> Amounts:
        """One claim and the storage it asks for, or was allotted if that is more."""
        used: Amounts = {_COUNT: ONE, _CLAIMS: ONE}
        storage_class = class_of_claim(obj)
        if storage_class:
            used[f"{storage_class}{_OF_CLASS}{_CLAIMS}"] = ONE
        storage = _storage(obj)
        if storage is not None:
            used[_STORAGE] = storage
            if storage_class:
                used[f"{storage_class}{_OF_CLASS}{_STORAGE}"] = storage
        return used

    def in_scope(self, obj: Object, scope: Scope) -> bool:
        """Whether a VolumeAttributesClass the claim has, had or shall get is of the scope."""
        if scope.get("scopeName") != "VolumeAttributesClass":
            return False
        names = attribute_classes(obj)
        operator = scope.get("operator") or "Exists"
        values = set(scope.get("values") or ())
        if operator == "Exists":
            return bool(names)
        if operator == "DoesNotExist":
            return not names
        if operator == "NotIn":
            return not names or bool(names - values)
        return bool(names & values)


def class_of_claim(claim: Object) -> str:
    """The claim's storage class, as its annotation or its spec names it; "" for none."""
    beta = annotations_of(claim).get(BETA_CLASS)
    name: str = beta if beta is not None else (claim.get("spec") or _NOTHING).get("storageClassName") or ""
    return name


def attribute_classes(claim: Object) -> set[str]:
    """Every VolumeAttributesClass that has to do with the claim."""
    spec, status = claim.get("spec") or _NOTHING, claim.get("status") or _NOTHING
    target = (status.get("modifyVolumeStatus") or _NOTHING).get("targetVolumeAttributesClassName")
    found = (spec.get("volumeAttributesClassName"), status.get("currentVolumeAttributesClassName"), target)
    return {name for name in found if name}


def _storage(claim: Object) -> Decimal | None:
    resources = (claim.get("spec") or _NOTHING).get("resources") or _NOTHING
    asked = (resources.get("requests") or _NOTHING).get("storage")
    if asked is None:
        return None
    amount = parse_quantity(asked)
    allotted = ((claim.get("status") or _NOTHING).get("allocatedResources") or _NOTHING).get("storage")
    if allotted is not None:
        amount = max(amount, parse_quantity(allotted))
    return amount.to_integral_value(ROUND_CEILING)
