"""RuntimeClass: a pod gets the overhead its runtime costs, and goes where its runtime is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.core.pods import PODS
from wherry.api.node.runtime_classes import RUNTIME_CLASSES
from wherry.api.quota.amounts import read_amounts
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, Attributes, BasePlugin
from wherry.objects.errors import ApiError, forbidden
from wherry.objects.meta import Object

Toleration = Mapping[str, Any]
OVERHEAD_DIFFERS = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
OVERHEAD_ALONE = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"


class RuntimeClass(BasePlugin):
    """See the module."""

    name = "RuntimeClass"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource is PODS and not subresource and operation == CREATE

    async def admit(self, attributes: Attributes) -> None:
        found = await _class_of(attributes)
        if found is None or attributes.obj is None:
            return
        spec = attributes.obj["spec"]
        overhead = _overhead(found)
        if overhead is not None:
            if spec.get("overhead") is not None and not _is_same(spec["overhead"], overhead):
                raise _refused(attributes, OVERHEAD_DIFFERS)
            spec["overhead"] = overhead
        scheduling = found.get("scheduling")
        if scheduling:
            _set_scheduling(attributes, spec, scheduling)

    async def validate(self, attributes: Attributes) -> None:
        overhead = ((attributes.obj or {}).get("spec") or {}).get("overhead")
        found = await _class_of(attributes)
        defined = _overhead(found) if found is not None else None
        if defined is None and overhead is not None:
            raise _refused(attributes, OVERHEAD_ALONE)
        if defined is not None and not _is_same(overhead, defined):
            raise _refused(attributes, OVERHEAD_DIFFERS)


def _refused(attributes: Attributes, why: str) -> ApiError:
    return forbidden("pods", "", attributes.name, why)


async def _class_of(attributes: Attributes) -> Object | None:
    """The pod's RuntimeClass, None if it names none. Raises ApiError when there is no such class."""
    name = ((attributes.obj or {}).get("spec") or {}).get("runtimeClassName")
    if not name:
        return None
    served = attributes.core.registry.of(RUNTIME_CLASSES)
    await served.source.open()
    cached = served.get("", name)
    if cached is None:
        raise _refused(attributes, f'pod rejected: RuntimeClass "{name}" not found')
    return cached.decode()


def _overhead(runtime_class: Object) -> dict[str, Any] | None:
    overhead = runtime_class.get("overhead")
    return None if overhead is None else overhead.get("podFixed") or {}


def _is_same(one: Mapping[str, Any] | None, other: Mapping[str, Any]) -> bool:
    return read_amounts(one) == read_amounts(other)


def _set_scheduling(attributes: Attributes, spec: Object, scheduling: Mapping[str, Any]) -> None:
    """Add the class's node selector and tolerations. Raises ApiError when the selectors disagree."""
    own = spec.get("nodeSelector") or {}
    for key, value in (scheduling.get("nodeSelector") or {}).items():
        if own.get(key, value) != value:
            why = (
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {own[key]}"
            )
            raise _refused(attributes, why)
    selector = {**own, **(scheduling.get("nodeSelector") or {})}
    if selector:
        spec["nodeSelector"] = selector
    if scheduling.get("tolerations"):
        spec["tolerations"] = merge_tolerations(spec.get("tolerations") or (), scheduling["tolerations"])


def merge_tolerations(first: Sequence[Toleration], second: Sequence[Toleration]) -> list[Toleration]:
    """Both, without those that another one includes; of equal ones the last stays."""
    every = [*first, *second]
    return [
        item
        for index, item in enumerate(every)
        if not any(includes(other, item) for other in every[index + 1 :])
        and not any(includes(other, item) and other != item for other in every[:index])
    ]


def includes(wide: Toleration, narrow: Toleration) -> bool:
    """Whether whatever `narrow` tolerates, `wide` tolerates too."""
    if wide == narrow:
        return True
    operator, key = wide.get("operator") or "Equal", wide.get("key") or ""
    if key != (narrow.get("key") or "") and not (not key and operator == "Exists"):
        return False
    effect = wide.get("effect") or ""
    if effect and effect != narrow.get("effect"):
        return False
    limit_s, asked_s = wide.get("tolerationSeconds"), narrow.get("tolerationSeconds")
    if effect == "NoExecute" and limit_s is not None and (asked_s is None or asked_s > limit_s):
        return False
    if operator == "Exists":
        return True
    same_operator = operator == (narrow.get("operator") or "Equal")
    return same_operator and (wide.get("value") or "") == (narrow.get("value") or "")
