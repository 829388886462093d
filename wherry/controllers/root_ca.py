"""Publishing the cluster's certificate authority: kube-root-ca.crt in every namespace.

Pods mount it beside their token, to know the API server they speak to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, create_unless_present
from wherry.objects.meta import Object, is_deleting, name_of, namespace_of

NAME = "kube-root-ca.crt"
DESCRIPTION = (
    "The certificate authority to verify the API server with, when it is reached by its internal"
    " addresses (the kubernetes service)."
)


def bundle_changed(_: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A change of a namespace's bundle concerns the namespace."""
    obj = new or old or {}
    if name_of(obj) == NAME:
        yield namespace_of(obj)


class RootCa(Controller):
    """Keeps the bundle in each namespace as it should be."""

    name = "root-ca-cert-publisher"
    account = "root-ca-cert-publisher"
    component = "root-ca-cert-publisher"
    primary = NAMESPACES
    watches: ClassVar = {CONFIG_MAPS: bundle_changed}

    async def sync(self, key: str) -> float | None:
        """Create the namespace's bundle, or put it right."""
        namespace = self.cache.get(NAMESPACES, key)
        if namespace is None or is_deleting(namespace) or not self.config.cluster_ca_pem:
            return None
        data = {"ca.crt": self.config.cluster_ca_pem}
        found = self.cache.get(CONFIG_MAPS, f"{key}/{NAME}")
        if found is None:
            annotations = {"kubernetes.io/description": DESCRIPTION}
            meta = {"name": NAME, "namespace": key, "annotations": annotations}
            bundle: Object = {
                "apiVersion": CONFIG_MAPS.api_version,
                "kind": CONFIG_MAPS.kind,
                "metadata": meta,
                "data": data,
            }
            await create_unless_present(self, key, CONFIG_MAPS, bundle)
        elif found.get("data") != data:
            await self.update(key, CONFIG_MAPS, {**found, "data": data})
        return None
