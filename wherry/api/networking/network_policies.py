"""NetworkPolicy: which traffic pods take and send."""

from __future__ import annotations

from wherry.api.resource import Resource

NETWORK_POLICIES = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="NetworkPolicy",
    plural="networkpolicies",
    namespaced=True,
    short_names=("netpol",),
    schema="io.k8s.api.networking.v1.NetworkPolicy",
)
