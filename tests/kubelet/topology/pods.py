"""Pods that ask for processors and memory."""

from __future__ import annotations

from typing import Any

from wherry.objects.meta import Object


def container(name: str, cpu: str = "1", memory: str = "1Gi", **more: Any) -> Object:
    """A container whose limits are its requests."""
    resources = {"cpu": cpu, "memory": memory, **more.pop("extra", {})}
    return {"name": name, "resources": {"requests": resources, "limits": resources}, **more}


def pod(uid: str, *containers: Object, init: list[Object] | None = None, **spec: Any) -> Object:
    """A pod with these containers."""
    spec = {"containers": list(containers), "initContainers": init or [], **spec}
    return {"metadata": {"name": uid, "namespace": "default", "uid": uid}, "spec": spec}
