"""ConfigMap: configuration as key and value."""

from __future__ import annotations

from wherry.api.resource import Resource

CONFIG_MAPS = Resource(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    namespaced=True,
    short_names=("cm",),
    schema="io.k8s.api.core.v1.ConfigMap",
)
