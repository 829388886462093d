"""Nodes, pods and worlds for the scheduler's tests."""

from __future__ import annotations

from typing import Any

from wherry.objects.meta import Object
from wherry.scheduler.facts import PodFacts, PodReader
from wherry.scheduler.world import Storage, World

READER = PodReader()


def node(
    name: str,
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    labels: dict[str, str] | None = None,
    images: list[Object] | None = None,
    more: dict[str, str] | None = None,
    **spec: Any,
) -> Object:
    """A Ready node; `more` are extended resources."""
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": pods, **(more or {})},
            **({"images": images} if images else {}),
        },
    }


def pod(
    name: str = "web",
    *,
    requests: dict[str, str] | None = None,
    limits: dict[str, str] | None = None,
    port: int = 0,
    labels: dict[str, str] | None = None,
    namespace: str = "default",
    status: Object | None = None,
    image: str = "i",
    **spec: Any,
) -> Object:
    """A pod with one container."""
    container: dict[str, Any] = {"name": "c", "image": image, "resources": {"requests": requests or {}}}
    if limits:
        container["resources"]["limits"] = limits
    if port:
        container["ports"] = [{"containerPort": port, "hostPort": port}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            **({"labels": labels} if labels else {}),
        },
        "spec": {"containers": [container], "schedulerName": "default-scheduler", **spec},
        **({"status": status} if status else {}),
    }


def facts(name: str = "web", **more: Any) -> PodFacts:
    """The facts of `pod(...)`."""
    return READER.read(pod(name, **more))


def world(*nodes: Object, claims: Storage | None = None) -> World:
    """A world of these nodes."""
    found = World(claims)
    for item in nodes:
        found.set_node(item)
    return found
