"""How the resize of one pod stands: what its worker tells of it (`Resizing`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.kubelet.allocation.messages import resize_message
from wherry.kubelet.allocation.shown import shown_resources
from wherry.kubelet.observation import Observation
from wherry.kubelet.pod import find_container
from wherry.kubelet.runtimes.containers import Container
from wherry.kubelet.workers.context import WorkerContext
from wherry.objects.conditions import Condition
from wherry.objects.meta import Object, metadata


class Resizing:
    """Of the pod `uid`; what its methods are given is the pod as it was allocated."""

    def __init__(self, context: WorkerContext, uid: str) -> None:
        self._context = context
        self._uid = uid

    def given(self, pod: Object) -> Object:
        """The pod with the resources it was allocated."""
        return self._context.allocations.allocated(pod)

    def actual(self, spec: Object, container: Container) -> Mapping[str, Any]:
        """The `resources` a running container was last given."""
        return self._context.allocations.actual(self._uid, spec, container)

    def follow(self, pod: Object, seen: Observation) -> None:
        """See whether a resize is under way, and tell when one has ended."""
        allocations = self._context.allocations
        status = allocations.find_status(self._uid)
        if status is None:
            return
        if allocations.is_under_way(pod, seen):
            status.go_on(_generation(pod))
        elif (done := status.finish()) is not None:
            message = resize_message("completed", pod, done)
            self._context.recorder.event(pod, "Normal", "ResizeCompleted", message)

    def failed(self, pod: Object, error: str) -> None:
        """What was begun met an error; it is tried again."""
        status = self._context.allocations.find_status(self._uid)
        if status is not None and status.fail(error, _generation(pod)):
            message = resize_message("error", pod, _generation(pod), error)
            self._context.recorder.event(pod, "Warning", "ResizeError", message)

    def shown(self, pod: Object, running: Sequence[Container]) -> dict[str, Object]:
        """The `resources` to show of running containers, by container id."""
        shown = {}
        for container in running:
            spec = find_container(pod, container.name)
            if spec is not None:
                asked, has = spec.get("resources") or {}, self.actual(spec, container)
                shown[container.id] = shown_resources(asked, has, container.resources)
        return shown

    def whole(self) -> Mapping[str, Any] | None:
        """The `resources` the pod as a whole has."""
        return self._context.allocations.whole(self._uid)

    def conditions(self, now: str) -> list[Condition]:
        """The conditions to show at that moment."""
        status = self._context.allocations.find_status(self._uid)
        return status.conditions(now) if status is not None else []


def _generation(pod: Object) -> int:
    return int(metadata(pod).get("generation") or 0)
