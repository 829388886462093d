"""PriorityLevelConfiguration: the share of the API server a group of requests gets."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

PRIORITY_LEVEL_CONFIGURATIONS = Resource(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="PriorityLevelConfiguration",
    plural="prioritylevelconfigurations",
    namespaced=False,
    subresources=(Subresource("status"),),
    schema="io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
)
