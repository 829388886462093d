"""Lease: who leads, and who is alive."""

from __future__ import annotations

from wherry.api.resource import Resource

LEASES = Resource(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    namespaced=True,
    schema="io.k8s.api.coordination.v1.Lease",
)
