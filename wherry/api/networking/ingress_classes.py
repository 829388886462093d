"""IngressClass: which controller serves an Ingress."""

from __future__ import annotations

from wherry.api.resource import Resource

INGRESS_CLASSES = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="IngressClass",
    plural="ingressclasses",
    namespaced=False,
    schema="io.k8s.api.networking.v1.IngressClass",
)
