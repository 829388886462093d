"""Secret: values that are not for everyone, by key."""

from __future__ import annotations

from wherry.api.resource import Resource

SECRETS = Resource(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    namespaced=True,
    schema="io.k8s.api.core.v1.Secret",
)
