"""NamespaceLifecycle: nothing is created in a namespace that is not there or going away."""

from __future__ import annotations

from wherry.api.core.namespaces import NAMESPACES
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, DELETE, Attributes, BasePlugin
from wherry.objects.errors import forbidden, not_found

IMMORTAL = frozenset({"default", "kube-system", "kube-public"})


class NamespaceLifecycle(BasePlugin):
    """See the module."""

    name = "NamespaceLifecycle"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        if resource is NAMESPACES:
            return operation == DELETE
        return resource.namespaced and operation == CREATE and resource.group != "authorization.k8s.io"

    async def admit(self, attributes: Attributes) -> None:
        if attributes.resource is NAMESPACES:
            if attributes.name in IMMORTAL:
                raise forbidden("namespaces", "", attributes.name, "this namespace may not be deleted")
            return
        namespace = attributes.namespace
        cached = attributes.core.registry.of(NAMESPACES).get("", namespace)
        if cached is None:
            raise not_found("namespaces", "", namespace)
        if cached.is_deleting:
            resource = attributes.resource
            error = forbidden(
                resource.plural,
                resource.group,
                attributes.name,
                f"unable to create new content in namespace {namespace} because it is being terminated",
            )
            error.details["causes"] = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            raise error
