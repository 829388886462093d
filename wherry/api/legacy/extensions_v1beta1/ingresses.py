"""Ingress in extensions/v1beta1."""

from __future__ import annotations

from wherry.api.legacy.ingress_backends import (
    default_path_types,
    from_networking_v1,
    rename_default_backend,
    to_networking_v1,
)
from wherry.api.legacy.lifecycles import EXTENSIONS_INGRESS
from wherry.api.networking.ingresses import INGRESSES as MODERN
from wherry.api.versions import Differences, earlier

INGRESSES = earlier(
    MODERN,
    "extensions/v1beta1",
    EXTENSIONS_INGRESS,
    schema="extensions.v1beta1",
    differences=Differences(
        to_present=to_networking_v1,
        from_present=from_networking_v1("extensions/v1beta1"),
        defaults=default_path_types,
        rename=rename_default_backend,
    ),
)
