"""DeviceTaintRule: a taint on devices."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy

_SCHEMA = "io.k8s.api.resource.v1.DeviceTaintRule"


DEVICE_TAINT_RULES = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="DeviceTaintRule",
    plural="devicetaintrules",
    namespaced=False,
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(schema=_SCHEMA, namespaced=False, has_status=True, tracks_generation=True),
    schema=_SCHEMA,
    storage_version=("resource.k8s.io", "v1beta2"),  # which the release before can read
)
