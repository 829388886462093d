"""Services and slices for the proxy's tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wherry.objects.meta import Object
from wherry.proxy.backends.base import Backend
from wherry.proxy.model import Model, Ports, owner_key, service_key, service_ports
from wherry.proxy.topology import Place

PLACE = Place("here", "near")


def build_model(services: Iterable[Object], slices: Iterable[Object], place: Place = PLACE) -> Model:
    """The model of these Services and slices, those without ports left out."""
    made: dict[str, Ports] = {}
    listed = list(slices)
    for service in services:
        key = service_key(service)
        ports = service_ports(service, [found for found in listed if owner_key(found) == key], place)
        if ports:
            made[key] = ports
    return made


async def apply_all(backend: Backend, model: Model) -> None:
    """Give a backend a model, of which all may have changed."""
    await backend.apply(model, model.keys())


def service(name: str = "web", **spec: Any) -> Object:
    """A ClusterIP service with one TCP port 80."""
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "10.96.0.10",
            "ports": [{"port": 80, "protocol": "TCP"}],
            **spec,
        },
    }


def endpoint(ip: str, node: str = "here", **conditions: bool) -> dict[str, Any]:
    """One ready endpoint unless `conditions` say otherwise."""
    return {"addresses": [ip], "nodeName": node, "conditions": conditions or {"ready": True}}


def endpoint_slice(name: str = "web", *endpoints: dict[str, Any], port: int = 8080) -> Object:
    """The slice of a service."""
    return {
        "metadata": {
            "name": f"{name}-abc",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"port": port, "protocol": "TCP"}],
    }
