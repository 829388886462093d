"""The jobs a CronJob makes: one for each time, with that time in its name, so that none is made twice."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from wherry.api.batch.cron_jobs import CRON_JOBS
from wherry.api.batch.jobs import JOBS
from wherry.objects.meta import Object, controller_ref, name_of, namespace_of

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"


def job_name(cron_job: Object, at: datetime) -> str:
    """The name of the job for that time: the CronJob's, and minutes since 1970."""
    return f"{name_of(cron_job)}-{int(at.timestamp()) // 60}"


def make_job(cron_job: Object, at: datetime) -> Object:
    """The job for that time, as the template says."""
    template = cron_job["spec"].get("jobTemplate") or {}
    meta = template.get("metadata") or {}
    zone = cron_job["spec"].get("timeZone")
    local = at.astimezone(ZoneInfo(zone) if zone else UTC)
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": {
            "name": job_name(cron_job, at),
            "namespace": namespace_of(cron_job),
            "labels": dict(meta.get("labels") or {}),
            "annotations": {**(meta.get("annotations") or {}), SCHEDULED_AT: _rfc3339(local)},
            "ownerReferences": [controller_ref(cron_job, CRON_JOBS.api_version, CRON_JOBS.kind)],
        },
        "spec": copy.deepcopy(template.get("spec") or {}),
    }


def _rfc3339(moment: datetime) -> str:
    text = moment.isoformat(timespec="seconds")
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text
