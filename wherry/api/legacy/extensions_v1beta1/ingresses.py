"""Ingress in extensions/v1beta1."""

from __future__ import annotations

from wherry.api.legacy.ingress_backends import with_named_backends
from wherry.api.legacy.lifecycles import EXTENSIONS_INGRESS

INGRESSES = with_named_backends("extensions/v1beta1", EXTENSIONS_INGRESS, schema="extensions.v1beta1")
