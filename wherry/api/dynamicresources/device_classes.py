"""DeviceClass: a named choice of devices."""

from __future__ import annotations

from wherry.api.resource import Resource

DEVICE_CLASSES = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="DeviceClass",
    plural="deviceclasses",
    namespaced=False,
    schema="io.k8s.api.resource.v1.DeviceClass",
)
