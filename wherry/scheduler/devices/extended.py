"""Extended resources that device classes stand for: a pod's claim for them, and who uses what of it. Pure.

A container that asks for `example.com/gpu: 2` gets two devices of the class that says so
(`extendedResourceName`, or `deviceclass.resource.kubernetes.io/CLASS`), on nodes that do not have the
resource themselves. Source: pkg/scheduler/framework/plugins/dynamicresources/extendeddynamicresources.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.claims import EXACT_COUNT
from wherry.api.dynamicresources.pod_claims import EXTENDED
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.objects.meta import Object, controller_ref, metadata, name_of, namespace_of
from wherry.objects.quantity import parse_quantity

IMPLICIT = "deviceclass.resource.kubernetes.io/"
UNNAMED = "<extended-resources>"
"""The name of a claim that is not made yet; no claim can be called so."""
ClassOf = Callable[[str], str]
"""The class that stands for a resource, "" if none does."""


def resources_of(classes: Iterable[Object]) -> dict[str, str]:
    """The class each resource stands for; of several the newest, then the first by name."""
    found: dict[str, str] = {}
    ordered = sorted(classes, key=name_of, reverse=True)
    for one in sorted(ordered, key=lambda one: metadata(one).get("creationTimestamp") or ""):
        name = (one.get("spec") or {}).get("extendedResourceName")
        if name:
            found[name] = name_of(one)
        found[IMPLICIT + name_of(one)] = name_of(one)
    return found


def claim_for(pod: Object, names: Sequence[str], class_of: ClassOf) -> Object:
    """The claim for some of a pod's extended resources, without a name of its own yet."""
    meta: Object = {
        "name": UNNAMED,
        "namespace": namespace_of(pod),
        "generateName": f"{name_of(pod)}-extended-resources-",
        "ownerReferences": [controller_ref(pod, PODS.api_version, PODS.kind)],
        "annotations": {EXTENDED: "true"},
    }
    requests, _ = requests_for(pod, names, class_of)
    return {
        "apiVersion": RESOURCE_CLAIMS.api_version,
        "kind": RESOURCE_CLAIMS.kind,
        "metadata": meta,
        "spec": {"devices": {"requests": requests}},
    }


def requests_for(pod: Object, names: Sequence[str], class_of: ClassOf) -> tuple[list[Object], list[Object]]:
    """(requests of the claim, `requestMappings`: which container uses which of them).

    Init containers that end use again what those after them will have, and of what they need beyond that the
    most.
    """
    requests: list[Object] = []
    mappings: list[Object] = []
    for resource in sorted(names):
        own, who = _of_resource(pod, resource, class_of(resource))
        requests += own
        mappings += who
    return sorted(requests, key=lambda one: str(one["name"])), mappings


def _of_resource(pod: Object, resource: str, class_name: str) -> tuple[list[Object], list[Object]]:
    spec: Mapping[str, Any] = pod.get("spec") or {}
    initial = list(spec.get("initContainers") or ())
    containers = [*initial, *(spec.get("containers") or ())]
    brief = [index for index, one in enumerate(initial) if one.get("restartPolicy") != "Always"]
    lasting: list[Object | None] = [None] * len(containers)
    mappings: list[Object] = []
    for index, container in enumerate(containers):
        if index not in brief:
            lasting[index], who = _of_container(index, container, resource, class_name, ())
            mappings += who
    most: Object | None = None
    renamed: set[str] = set()
    borrowed: list[Object] = []
    for index in brief:
        made, who = _of_container(index, containers[index], resource, class_name, lasting[index:])
        borrowed += who
        if made is not None:
            renamed.add(made["name"])
            if most is None or most["exactly"]["count"] < made["exactly"]["count"]:
                most = made
    for mapping in borrowed:
        if most is not None and mapping["requestName"] in renamed:
            mapping["requestName"] = most["name"]
    own = [one for one in (most, *lasting) if one is not None]
    return own, [*mappings, *borrowed]


def _of_container(
    index: int, container: Object, resource: str, class_name: str, usable: Sequence[Object | None]
) -> tuple[Object | None, list[Object]]:
    """(what a container needs beyond what is usable, which requests it uses)."""
    wanted = (container.get("resources") or {}).get("requests") or {}
    left = int(parse_quantity(wanted.get(resource) or 0))
    mappings: list[Object] = []
    if left <= 0:
        return None, mappings

    def uses(request: str) -> Object:
        return {"containerName": container["name"], "resourceName": resource, "requestName": request}

    for one in usable:
        if one is not None:
            mappings.append(uses(one["name"]))
            left -= one["exactly"]["count"]
            if left <= 0:
                return None, mappings
    name = f"container-{index}-request-{sorted(wanted).index(resource)}"
    exactly = {"deviceClassName": class_name, "allocationMode": EXACT_COUNT, "count": left}
    return {"name": name, "exactly": exactly}, [*mappings, uses(name)]
