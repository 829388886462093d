"""Job: pods that run until enough of them have succeeded."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

JOBS = Resource(
    group="batch",
    version="v1",
    kind="Job",
    plural="jobs",
    namespaced=True,
    categories=("all",),
    subresources=(Subresource("status"),),
    schema="io.k8s.api.batch.v1.Job",
)
