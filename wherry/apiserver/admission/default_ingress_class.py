"""DefaultIngressClass: an Ingress that names no class gets the cluster's default one."""

from __future__ import annotations

from wherry.api.networking.ingress_classes import INGRESS_CLASSES, IS_DEFAULT
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, Attributes, BasePlugin
from wherry.objects.errors import forbidden, internal
from wherry.objects.meta import annotations_of

ANNOTATION = "kubernetes.io/ingress.class"
GROUPS = ("networking.k8s.io", "extensions")


class DefaultIngressClass(BasePlugin):
    """See the module."""

    name = "DefaultIngressClass"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        is_ingress = resource.plural == "ingresses" and resource.group in GROUPS
        return is_ingress and not subresource and operation == CREATE

    async def admit(self, attributes: Attributes) -> None:
        ingress = attributes.obj
        if ingress is None:
            return
        spec = ingress.setdefault("spec", {})
        if spec.get("ingressClassName") is not None or ANNOTATION in annotations_of(ingress):
            return
        served = attributes.core.registry.of(INGRESS_CLASSES)
        await served.source.open()
        defaults = await served.cacher.having(IS_DEFAULT, "true")
        if len(defaults) > 1:
            why = internal(f"{len(defaults)} default IngressClasses were found, only 1 allowed").message
            raise forbidden(attributes.resource.plural, attributes.resource.group, attributes.name, why)
        if defaults:
            spec["ingressClassName"] = defaults[0].name
