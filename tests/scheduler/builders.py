"""Nodes and pods for the scheduler's tests."""

from __future__ import annotations

from typing import Any

from wherry.objects.meta import Object
from wherry.scheduler.facts import PodFacts, read_pod
from wherry.scheduler.table import NodeTable


def node(
    name: str,
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> Object:
    """A Ready node."""
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": pods}},
    }


def pod(name: str = "web", *, requests: dict[str, str] | None = None, port: int = 0, **spec: Any) -> Object:
    """A pod with one container."""
    container: dict[str, Any] = {"name": "c", "image": "i", "resources": {"requests": requests or {}}}
    if port:
        container["ports"] = [{"containerPort": port, "hostPort": port}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"containers": [container], "schedulerName": "default-scheduler", **spec},
    }


def facts(name: str = "web", **more: Any) -> PodFacts:
    """The facts of `pod(...)`."""
    return read_pod(pod(name, **more))


def table(*nodes: Object) -> NodeTable:
    """A table of these nodes."""
    found = NodeTable()
    for item in nodes:
        found.set_node(item)
    return found
