"""The objects that are measured with: the sizes of real ones, each different in its details."""

from __future__ import annotations

from typing import Any

NAMESPACE = "bench"


def config_map(name: str, data: str = "x", **labels: str) -> dict[str, Any]:
    """A ConfigMap with one value."""
    metadata: dict[str, Any] = {"name": name, "namespace": NAMESPACE}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": data}}


def pod(number: int, variables: int = 24) -> dict[str, Any]:
    """A pod no scheduler takes, so it stays Pending; some 80 bytes larger with each of its variables."""
    container = {
        "name": "main",
        "image": "example.com/app:1",
        "env": [{"name": f"VARIABLE_{n}", "value": "v" * 40} for n in range(variables)],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"p{number}", "namespace": NAMESPACE, "labels": {"app": "bench"}},
        "spec": {"schedulerName": "nobody", "containers": [container]},
    }


def deployment(number: int) -> dict[str, Any]:
    """A Deployment of such pods, as it is stored."""
    labels = {"app": "bench"}
    template = {"metadata": {"labels": labels}, "spec": pod(number)["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"d{number}", "namespace": NAMESPACE, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
