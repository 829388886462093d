"""IngressClass in networking.k8s.io/v1beta1."""

from __future__ import annotations

from wherry.api.legacy.lifecycles import NETWORKING_V1BETA1
from wherry.api.networking.ingress_classes import INGRESS_CLASSES as MODERN
from wherry.api.versions import earlier

INGRESS_CLASSES = earlier(
    MODERN,
    "networking.k8s.io/v1beta1",
    NETWORKING_V1BETA1,
    schema="networking.v1beta1",
)
