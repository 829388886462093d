"""CronJob in batch/v1beta1: deleting it leaves its jobs, unless told otherwise."""

from __future__ import annotations

from wherry.api.batch.cron_jobs import CRON_JOBS as MODERN
from wherry.api.legacy.lifecycles import BATCH_V1BETA1
from wherry.api.versions import Differences, earlier

CRON_JOBS = earlier(
    MODERN,
    "batch/v1beta1",
    BATCH_V1BETA1,
    schema="batch.v1beta1",
    differences=Differences(orphans_by_default=True),
)
