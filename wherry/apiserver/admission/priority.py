"""Priority: pods, and groups of them, get the number their priority class stands for."""

from __future__ import annotations

from typing import Any

from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.api.scheduling.pod_groups import POD_GROUPS
from wherry.api.scheduling.priority_classes import GLOBAL_DEFAULT, PRIORITY_CLASSES
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.apiserver.registry import Served
from wherry.objects.errors import ApiError, forbidden
from wherry.objects.meta import Object, name_of

DEFAULT_POLICY = "PreemptLowerPriority"


class Priority(BasePlugin):
    """See the module."""

    name = "Priority"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        if subresource or operation not in (CREATE, UPDATE):
            return False
        if resource is POD_GROUPS:
            return operation == CREATE
        return resource in (PODS, PRIORITY_CLASSES)

    async def admit(self, attributes: Attributes) -> None:
        resource = attributes.resource
        if resource is PRIORITY_CLASSES or attributes.obj is None:
            return
        if attributes.operation == UPDATE:
            _keep(attributes)
            return
        served = attributes.core.registry.of(PRIORITY_CLASSES)
        await served.source.open()
        spec = attributes.obj.setdefault("spec", {})
        name = spec.get("priorityClassName") or ""
        if name:
            cached = served.get("", name)
            if cached is None:
                why = f"no PriorityClass with name {name} was found"
                raise forbidden(resource.plural, resource.group, attributes.name, why)
            chosen: Object | None = cached.decode()
        else:
            chosen = await _default_class(served)
            if chosen is not None:
                spec["priorityClassName"] = name_of(chosen)
        value = chosen.get("value", 0) if chosen is not None else 0
        policy = (chosen or {}).get("preemptionPolicy") or DEFAULT_POLICY
        given = spec.get("priority")
        if given is not None and given != value:
            what = "pod" if resource is PODS else "pod group"
            raise _refusal(attributes, f"the integer value of priority ({given})", what, value)
        spec["priority"] = value
        if resource is PODS and (asked := spec.setdefault("preemptionPolicy", policy)) != policy:
            raise _refusal(attributes, f"the string value of PreemptionPolicy ({asked})", "pod", policy)

    async def validate(self, attributes: Attributes) -> None:
        if attributes.resource is not PRIORITY_CLASSES or not (attributes.obj or {}).get("globalDefault"):
            return
        served = attributes.core.registry.of(PRIORITY_CLASSES)
        await served.source.open()
        current = await _default_class(served)
        if current is not None and name_of(current) != attributes.name:
            raise forbidden(
                "priorityclasses",
                "scheduling.k8s.io",
                attributes.name,
                f"PriorityClass {name_of(current)} is already marked as default. Only one default can exist",
            )


def _refusal(attributes: Attributes, given: str, what: str, computed: Any) -> ApiError:
    why = (
        f"{given} must not be provided in {what} spec; priority admission controller computed {computed} "
        "from the given PriorityClass name"
    )
    return forbidden(attributes.resource.plural, attributes.resource.group, attributes.name, why)


def _keep(attributes: Attributes) -> None:
    """Leave a pod the priority it was created with where an update does not say it."""
    new, old = (attributes.obj or {}).get("spec") or {}, (attributes.old or {}).get("spec") or {}
    for field in ("priority", "preemptionPolicy"):
        if new.get(field) is None and old.get(field) is not None:
            new[field] = old[field]
            attributes.is_changed = True


async def _default_class(served: Served) -> Object | None:
    """The class of pods that name none: of several defaults the one with the smallest value."""
    defaults = [item.decode() for item in await served.cacher.having(GLOBAL_DEFAULT, "true")]
    return min(defaults, key=lambda item: int(item.get("value", 0)), default=None)
