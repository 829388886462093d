"""Binding a pod to a node: the scheduler's decision, written once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.objects.conditions import with_condition
from wherry.objects.errors import FieldError, not_supported, required
from wherry.objects.meta import Object, annotations_of, is_deleting, labels_of, name_of


def validate_binding(binding: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with a `v1.Binding`."""
    target = binding.get("target") or {}
    errors: list[FieldError] = []
    if target.get("kind") not in (None, "", "Node"):
        errors.append(not_supported("target.kind", target["kind"], ("<empty>", "Node")))
    if not target.get("name"):
        errors.append(required("target.name"))
    return errors


def binding_refusal(pod: Object) -> str:
    """Why the pod cannot be bound now (a conflict), "" if it can."""
    spec = pod.get("spec") or {}
    name = name_of(pod)
    if is_deleting(pod):
        return f"pod {name} is being deleted, cannot be assigned to a host"
    if node := spec.get("nodeName"):
        return f'pod {name} is already assigned to node "{node}"'
    if spec.get("schedulingGates"):
        return f"pod {name} has non-empty .spec.schedulingGates"
    return ""


def bind(pod: Object, binding: Mapping[str, Any], now: str) -> Object:
    """The pod bound as the (valid) binding says, sharing what did not change.

    `now` is the time in wire format, for the PodScheduled condition.
    """
    meta = dict(pod["metadata"])
    if given := annotations_of(binding):
        meta["annotations"] = {**annotations_of(pod), **given}
    if given := labels_of(binding):
        meta["labels"] = {**given, **labels_of(pod)}  # what the pod says of itself stays
    status = dict(pod.get("status") or {})
    status.pop("nominatedNodeName", None)  # a hope for a node, and now it has one (KEP-5278)
    generation = meta.get("generation")
    more = {"observedGeneration": generation} if generation else {}
    status["conditions"] = with_condition(
        status.get("conditions"), "PodScheduled", "True", now, lastProbeTime=None, **more
    )
    spec = {**pod["spec"], "nodeName": binding["target"]["name"]}
    return {**pod, "metadata": meta, "spec": spec, "status": status}
