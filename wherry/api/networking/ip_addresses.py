"""IPAddress: an address of a service that is taken."""

from __future__ import annotations

from wherry.api.resource import Resource

IP_ADDRESSES = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="IPAddress",
    plural="ipaddresses",
    namespaced=False,
    short_names=("ip",),
    schema="io.k8s.api.networking.v1.IPAddress",
)
