"""Ingress in networking.k8s.io/v1beta1, which looks as it did in extensions/v1beta1."""

from __future__ import annotations

from wherry.api.legacy.ingress_backends import with_named_backends
from wherry.api.legacy.lifecycles import NETWORKING_V1BETA1

INGRESSES = with_named_backends("networking.k8s.io/v1beta1", NETWORKING_V1BETA1, schema="networking.v1beta1")
