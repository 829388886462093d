"""What a pod that has a node may become there: PodResizeValidator, NodeDeclaredFeatureValidator.

Sources: plugin/pkg/admission/podresize and nodedeclaredfeatures; what an update needs of its node is of
component-helpers/nodedeclaredfeatures/features/inplacepodresize (KEP-5328).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from wherry.api.core.node_features import GUARANTEED_CPU_RESIZE, INIT_CONTAINER_RESIZE, POD_LEVEL_RESIZE
from wherry.api.core.nodes import NODES
from wherry.api.core.pod_resources import pod_requests, qos_class
from wherry.api.core.pods import PODS
from wherry.api.equality import is_same
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import UPDATE, Attributes, BasePlugin
from wherry.objects.errors import ApiError, forbidden
from wherry.objects.meta import Object, labels_of, metadata
from wherry.objects.quantity import milli, whole

OS_LABEL = "kubernetes.io/os"
_NOTHING: Mapping[str, Any] = {}


class PodResizeValidator(BasePlugin):
    """A pod may not ask for more than its whole node has."""

    name = "PodResizeValidator"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource is PODS and subresource == "resize" and operation == UPDATE

    async def validate(self, attributes: Attributes) -> None:
        pod = attributes.obj
        if pod is None or not _is_changed_on_node(pod, attributes.old):
            return
        node = await _node_of(attributes, pod)
        if missing := _too_much(pod, node):
            raise _refused(attributes, f"Node didn't have enough allocatable resources: {missing}")
        if (system := labels_of(node).get(OS_LABEL, "")) != "linux":
            name = metadata(node)["name"]
            why = f'pod resize is only supported on linux nodes, node "{name}" is "{system}"'
            raise _refused(attributes, why)


class NodeDeclaredFeatureValidator(BasePlugin):
    """A pod may not become what its node does not say it can run."""

    name = "NodeDeclaredFeatureValidator"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource is PODS and subresource in ("", "resize") and operation == UPDATE

    async def validate(self, attributes: Attributes) -> None:
        pod, old = attributes.obj, attributes.old
        if pod is None or old is None or not _is_changed_on_node(pod, old):
            return
        needed = sorted(features_of_update(pod, old))
        if not needed:
            return
        node = await _node_of(attributes, pod)
        declared = (node.get("status") or _NOTHING).get("declaredFeatures") or ()
        missing = [name for name in needed if name not in declared]
        if missing:
            where = f'which are not available on node "{metadata(node)["name"]}"'
            raise _refused(attributes, f"pod update requires features {', '.join(missing)} {where}")


def features_of_update(new: Object, old: Object) -> Iterator[str]:
    """The features a node needs for a pod to be changed so."""
    after, before = new["spec"], old["spec"]
    quality = (old.get("status") or _NOTHING).get("qosClass") or qos_class(old)
    if quality == "Guaranteed" and _differs(after, before, "containers", _cpu_request):
        yield GUARANTEED_CPU_RESIZE
    if not is_same(after.get("resources"), before.get("resources")):
        yield POD_LEVEL_RESIZE
    if _differs(after, before, "initContainers", _resources_of_ending):
        yield INIT_CONTAINER_RESIZE


def _differs(new: Mapping[str, Any], old: Mapping[str, Any], field: str, of: Any) -> bool:
    pairs = zip(new.get(field) or (), old.get(field) or (), strict=False)
    return any(not is_same(of(now), of(then)) for now, then in pairs)


def _cpu_request(container: Mapping[str, Any]) -> Any:
    requests = (container.get("resources") or _NOTHING).get("requests") or _NOTHING
    return milli(requests.get("cpu", "0"))


def _resources_of_ending(container: Mapping[str, Any]) -> Any:
    return None if container.get("restartPolicy") == "Always" else container.get("resources") or None


def _is_changed_on_node(new: Object, old: Object | None) -> bool:
    if not (new.get("spec") or _NOTHING).get("nodeName") or old is None:
        return False
    return metadata(new).get("generation") != metadata(old).get("generation")


async def _node_of(attributes: Attributes, pod: Object) -> Object:
    served = attributes.core.registry.of(NODES)
    if not served.source.is_ready:
        await served.source.open()
    name = pod["spec"]["nodeName"]
    cached = served.get("", name)
    if cached is None:
        raise _refused(attributes, f'node "{name}" not found')
    return cached.decode()


def _too_much(pod: Object, node: Object) -> str:
    """What the pod asks for beyond all there is: cpu in thousandths, memory in bytes."""
    allocatable = (node.get("status") or _NOTHING).get("allocatable") or _NOTHING
    asked = pod_requests(pod)
    found = []
    for name, there in (
        ("cpu", milli(allocatable.get("cpu", "0"))),
        ("memory", whole(allocatable.get("memory", "0"))),
    ):
        wanted = math.ceil(asked.get(name, 0) * (1000 if name == "cpu" else 1))
        if wanted > there:
            found.append(f"{name}, requested: {wanted}, allocatable: {there}")
    return "; ".join(found)


def _refused(attributes: Attributes, why: str) -> ApiError:
    return forbidden("pods", "", attributes.name, why)
