"""DeviceTaintRule: a taint on devices."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

DEVICE_TAINT_RULES = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="DeviceTaintRule",
    plural="devicetaintrules",
    namespaced=False,
    subresources=(Subresource("status"),),
    schema="io.k8s.api.resource.v1.DeviceTaintRule",
)
