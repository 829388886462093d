"""CronJob: jobs made on a schedule."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

CRON_JOBS = Resource(
    group="batch",
    version="v1",
    kind="CronJob",
    plural="cronjobs",
    namespaced=True,
    short_names=("cj",),
    categories=("all",),
    subresources=(Subresource("status"),),
    schema="io.k8s.api.batch.v1.CronJob",
)
