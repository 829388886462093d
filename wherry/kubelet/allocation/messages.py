"""What events about a resize say (pkg/kubelet/events, PodResizeStartedMsg and its siblings)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from wherry.kubelet.pod import init_containers, regular_containers
from wherry.objects.meta import Object


def resize_message(what: str, pod: Object, generation: int, error: str = "") -> str:
    """`Pod resize <what>` with the amounts the pod's spec has."""
    summary: dict[str, Any] = {}
    for name, containers in (
        ("initContainers", init_containers(pod)),
        ("containers", regular_containers(pod)),
    ):
        if containers:
            summary[name] = [_amounts(container) for container in containers]
    summary["generation"] = generation
    if error:
        summary["error"] = error
    return f"Pod resize {what}: {json.dumps(summary, separators=(',', ':'))}"


def _amounts(container: Mapping[str, Any]) -> Object:
    resources = container.get("resources") or {}
    told = {kind: _sorted(resources[kind]) for kind in ("limits", "requests") if resources.get(kind)}
    return {"name": container["name"], "resources": told}


def _sorted(amounts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: amounts[name] for name in sorted(amounts)}


def aggregate(errors: Sequence[str]) -> str:
    """Several errors as Go's `utilerrors.Aggregate` shows them."""
    return errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
