"""Making and removing the pods of a workload, with the events users look for.

Shared by every controller that owns pods; wording and reasons are upstream's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.client.events import NORMAL, WARNING
from wherry.client.transport import STRATEGIC_PATCH
from wherry.controllers.base import Controller, is_namespace_terminating, slow_start
from wherry.kit.clock import Clock
from wherry.objects.errors import ApiError
from wherry.objects.meta import (
    Object,
    controller_ref,
    format_time,
    is_deleting,
    key_of,
    name_of,
    namespace_of,
    revision_of,
    uid_of,
)


def pod_from_template(owner: Object, api_version: str, kind: str, template: Object) -> Object:
    """A pod as `template` describes it, owned by `owner`, its name to be made by the server."""
    meta = template.get("metadata") or {}
    pod_meta: Object = {
        "generateName": f"{name_of(owner)}-",
        "namespace": namespace_of(owner),
        "ownerReferences": [controller_ref(owner, api_version, kind)],
    }
    for name in ("labels", "annotations", "finalizers"):
        if meta.get(name):
            pod_meta[name] = copy.deepcopy(meta[name])
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": pod_meta,
        "spec": copy.deepcopy(template.get("spec") or {}),
    }


async def report_disruption(
    client: Client, clock: Clock, pod: Object, reason: str, message: str, **status: str
) -> None:
    """Say on the pod itself why it will be deleted (condition DisruptionTarget), with other `status`.

    Only this condition is sent, so what the kubelet reports meanwhile is kept. Raises ApiError.
    """
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": format_time(clock.now()),
    }
    patch: Object = {"metadata": {"uid": uid_of(pod)}, "status": {**status, "conditions": [condition]}}
    await client.patch(
        PODS, name_of(pod), namespace_of(pod), patch, content_type=STRATEGIC_PATCH, subresource="status"
    )


async def say_no_disruption(client: Client, clock: Clock, pod: Object) -> None:
    """Say on the pod that it is not to be disrupted any more. Raises ApiError (409 if it has changed)."""
    now = format_time(clock.now())
    condition: Object = {"type": "DisruptionTarget", "status": "False", "lastTransitionTime": now}
    # A null takes a field away in a merge by type, which would else keep why it was to be disrupted.
    condition |= {"reason": None, "message": None}
    meta = {"uid": uid_of(pod), "resourceVersion": revision_of(pod)}
    patch: Object = {"metadata": meta, "status": {"conditions": [condition]}}
    await client.patch(
        PODS, name_of(pod), namespace_of(pod), patch, content_type=STRATEGIC_PATCH, subresource="status"
    )


def is_active(pod: Object) -> bool:
    """Whether the pod has neither ended nor is about to: it counts as a replica."""
    phase = (pod.get("status") or {}).get("phase")
    return phase not in ("Succeeded", "Failed") and not is_deleting(pod)


def most_restarts(pod: Object) -> tuple[int, int]:
    """The most restarts of any container, and of any restartable init container."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    sidecars = {c["name"] for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}
    regular = [c.get("restartCount") or 0 for c in status.get("containerStatuses") or ()]
    initial = [
        c.get("restartCount") or 0
        for c in status.get("initContainerStatuses") or ()
        if c.get("name") in sidecars
    ]
    return max(regular, default=0), max(initial, default=0)


@dataclass(frozen=True, slots=True)
class Done:
    """How many of several writes were done, and the first failure."""

    count: int
    failure: BaseException | None = None


async def try_to_create(controller: Controller, owner: Object, pods: Sequence[Callable[[], Object]]) -> Done:
    """Create pods for `owner` in slow-start batches, saying so in events: how many, before something failed.

    Each pod is made when its turn comes.
    """
    created, failures = await slow_start([partial(create_pod, controller, owner, make) for make in pods])
    return Done(len(created), failures[0] if failures else None)


async def create_pod(controller: Controller, owner: Object, make: Callable[[], Object]) -> None:
    """Create the pod `make` gives for `owner`, saying so in an event. Raises ApiError."""
    pod = make()
    try:
        created = await controller.create(key_of(owner), PODS, pod)
    except ApiError as error:
        if is_namespace_terminating(error):
            return  # whatever would be created goes with the namespace
        controller.events.event(owner, WARNING, "FailedCreate", f"Error creating: {error.message}")
        raise
    controller.events.event(owner, NORMAL, "SuccessfulCreate", f"Created pod: {name_of(created)}")


async def delete_pods(controller: Controller, owner: Object, pods: Sequence[Object]) -> None:
    """Delete pods of `owner`, all at once, saying so in events. Raises the first failure."""
    work = [partial(delete_pod, controller, owner, pod) for pod in pods]
    _, failures = await slow_start(work, first_batch=max(len(work), 1))
    if failures:
        raise failures[0]


async def delete_pod(controller: Controller, owner: Object, pod: Object) -> None:
    """Delete a pod of `owner`, saying so in an event; that it was gone is as well. Raises ApiError."""
    try:
        was_there = await controller.delete(key_of(owner), PODS, pod)
    except ApiError as error:
        controller.events.event(owner, WARNING, "FailedDelete", f"Error deleting: {error.message}")
        raise
    if was_there:
        controller.events.event(owner, NORMAL, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")
