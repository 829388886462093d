"""Small legal objects for tests of controllers: what the API server wants of each kind, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.objects.meta import Object

CONTAINERS = ({"name": "c", "image": "i"},)
"""What a pod has at least."""


def pod_spec(**more: Any) -> Object:
    """A spec of a pod with one container."""
    return {"containers": [*CONTAINERS], **more}


def pod(name: str = "p", *, spec: Mapping[str, Any] | None = None, **meta: Any) -> Object:
    """A pod of one container; `spec` says more of it."""
    return {"metadata": {"name": name, "namespace": "default", **meta}, "spec": pod_spec(**(spec or {}))}


def template(labels: Mapping[str, str] | None = None, **spec: Any) -> Object:
    """A pod template of one container."""
    return {"metadata": {"labels": dict(labels or {"app": "web"})}, "spec": pod_spec(**spec)}


def workload(name: str = "web", labels: Mapping[str, str] | None = None, **spec: Any) -> Object:
    """A ReplicaSet, Deployment, DaemonSet or StatefulSet whose selector is what its template says."""
    chosen = dict(labels or {"app": "web"})
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": chosen}, "template": template(chosen), **spec},
    }


def job(name: str = "j", **spec: Any) -> Object:
    """A Job of one pod that is not started again."""
    made = {"template": {"spec": pod_spec(restartPolicy="Never")}, **spec}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": made}


def claim(name: str = "c", **meta: Any) -> Object:
    """A PersistentVolumeClaim."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": name, "namespace": "default", **meta}, "spec": spec}
