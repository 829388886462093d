"""CSIDriver: what a storage driver can do."""

from __future__ import annotations

from wherry.api.resource import Resource

CSI_DRIVERS = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSIDriver",
    plural="csidrivers",
    namespaced=False,
    schema="io.k8s.api.storage.v1.CSIDriver",
)
