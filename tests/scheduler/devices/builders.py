"""Slices, classes and claims for tests: a driver's stand-in."""

from __future__ import annotations

from typing import Any

from wherry.objects.meta import Object

DRIVER = "gpu.example.com"


def device(name: str, model: str = "a100", memory: str = "80Gi", **more: Any) -> Object:
    """A device with a model and memory."""
    return {
        "name": name,
        "attributes": {"model": {"string": model}},
        "capacity": {"memory": {"value": memory}},
        **more,
    }


def resource_slice(name: str, devices: list[Object], node: str = "", **spec: Any) -> Object:
    """A slice, by itself a pool, on a node (or wherever `spec` says)."""
    place = {"nodeName": node} if node else {}
    pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": name},
        "spec": {
            "driver": DRIVER,
            "pool": pool,
            **place,
            **({"devices": devices} if devices else {}),
            **spec,
        },
    }


def device_class(name: str = "gpu", expression: str = f"device.driver == '{DRIVER}'", **spec: Any) -> Object:
    """A class that selects by one expression."""
    selectors = [{"cel": {"expression": expression}}] if expression else []
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": name},
        "spec": {"selectors": selectors, **spec},
    }


def request(name: str = "gpu", expression: str = "", **more: Any) -> Object:
    """An exact request of the class `gpu`."""
    exactly: Object = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1, **more}
    if exactly["allocationMode"] == "All":
        del exactly["count"]
    if expression:
        exactly["selectors"] = [{"cel": {"expression": expression}}]
    return {"name": name, "exactly": exactly}


def first_of(name: str, *parts: Object) -> Object:
    """A request with alternatives, each made by `request`."""
    return {"name": name, "firstAvailable": [{"name": p["name"], **p["exactly"]} for p in parts]}


def claim(name: str = "c", *requests: Object, uid: str = "", **devices: Any) -> Object:
    """A claim of these requests (one of a GPU without any)."""
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": "default", "uid": uid or f"uid-{name}"},
        "spec": {"devices": {"requests": list(requests or [request()]), **devices}},
    }


def claims(*names: str) -> list[Object]:
    """`spec.resourceClaims` of a pod that uses these claims."""
    return [{"name": name, "resourceClaimName": name} for name in names]
