"""FlowSchema: which requests belong to which priority level."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

FLOW_SCHEMAS = Resource(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="FlowSchema",
    plural="flowschemas",
    namespaced=False,
    subresources=(Subresource("status"),),
    schema="io.k8s.api.flowcontrol.v1.FlowSchema",
)
