"""Ingress in networking.k8s.io/v1beta1, which looks as it did in extensions/v1beta1."""

from __future__ import annotations

from wherry.api.legacy.ingress_backends import (
    default_path_types,
    from_networking_v1,
    rename_default_backend,
    to_networking_v1,
)
from wherry.api.legacy.lifecycles import NETWORKING_V1BETA1
from wherry.api.networking.ingresses import INGRESSES as MODERN
from wherry.api.versions import Differences, earlier

INGRESSES = earlier(
    MODERN,
    "networking.k8s.io/v1beta1",
    NETWORKING_V1BETA1,
    schema="networking.v1beta1",
    differences=Differences(
        to_present=to_networking_v1,
        from_present=from_networking_v1("networking.k8s.io/v1beta1"),
        defaults=default_path_types,
        rename=rename_default_backend,
    ),
)
