"""CronJob: jobs made on a schedule. Its name leaves room for the eleven characters a job's name adds.

Rules: pkg/apis/batch/v1, SetDefaults_CronJob; pkg/apis/batch/validation, ValidateCronJobSpec.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from wherry.api.batch.job_policies import default_failure_policy
from wherry.api.batch.job_spec import job_spec_errors
from wherry.api.columns import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    NONE,
    SELECTOR,
    age_of,
    bool_text,
    container_cells,
    format_selector,
)
from wherry.api.core.pod_spec import default_pod_template
from wherry.api.core.pod_warnings import pod_warnings
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_all_non_negative, validate_off
from wherry.objects.cron import is_zone, schedule_error
from wherry.objects.durations import age
from wherry.objects.errors import FieldError, invalid_value, not_supported, required
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.batch.v1.CronJob"
_NAME_MAX = 52
_POLICIES = ("Allow", "Forbid", "Replace")
_ZONE_PART = re.compile(r"[A-Za-z._0-9+-]{1,14}", re.ASCII)


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("concurrencyPolicy"):
        spec["concurrencyPolicy"] = "Allow"
    if spec.get("suspend") is None:
        spec["suspend"] = False
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    job = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
    # Only the pods are filled in here; the job's own defaults come when the job is made.
    default_failure_policy(job)
    default_pod_template(job.setdefault("template", {}))


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    before = (old.get("spec") or {}) if old is not None else None
    if before is None and len(name_of(new)) > _NAME_MAX:
        why = f"must be no more than {_NAME_MAX} characters"
        errors.append(invalid_value("metadata.name", name_of(new), why))
    errors += _schedule_errors(spec, before)
    if before is None or spec.get("timeZone") != before.get("timeZone"):
        errors += _zone_errors(spec.get("timeZone"))
    limits = ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    errors += validate_all_non_negative(spec, limits, "spec")
    policy = spec.get("concurrencyPolicy")
    if not policy:
        errors.append(required("spec.concurrencyPolicy"))
    elif policy not in _POLICIES:
        errors.append(not_supported("spec.concurrencyPolicy", policy, _POLICIES))
    errors += validate_off(new, old, "spec.jobTemplate.spec.scheduling")
    return errors + _template_errors(spec.get("jobTemplate") or {})


def _schedule_errors(spec: Object, before: Object | None) -> list[FieldError]:
    schedule, path = spec.get("schedule") or "", "spec.schedule"
    if not schedule:
        return [required(path)]
    wrong = schedule_error(schedule)
    errors = [invalid_value(path, schedule, wrong)] if wrong else []
    if "TZ" not in schedule:
        return errors
    if before is None or "TZ" not in (before.get("schedule") or ""):
        why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        errors.append(invalid_value(path, schedule, why))
    elif spec.get("timeZone") is not None:
        why = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        errors.append(invalid_value(path, schedule, why))
    return errors


def _zone_errors(zone: str | None) -> list[FieldError]:
    path = "spec.timeZone"
    if zone is None:
        return []
    if not zone:
        return [invalid_value(path, zone, "timeZone must be nil or non-empty string")]
    unknown = f"unknown time zone {zone}"
    for part in zone.split("/"):
        if part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part):
            return [invalid_value(path, zone, unknown)]
    if zone.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid_value(path, zone, why)]
    return [] if is_zone(zone) else [invalid_value(path, zone, unknown)]


def _template_errors(template: Object) -> list[FieldError]:
    job = template.get("spec") or {}
    path = "spec.jobTemplate.spec"
    errors = job_spec_errors(job, path)
    if (selector := job.get("selector")) is not None:
        errors.append(invalid_value(f"{path}.selector", selector, "`selector` will be auto-generated"))
    if job.get("manualSelector"):
        errors.append(not_supported(f"{path}.manualSelector", True, ("nil", "false")))
    return errors


def _warns(new: Object, old: Object | None) -> list[str]:
    texts: list[str] = []
    if "TZ" in ((new.get("spec") or {}).get("schedule") or ""):
        texts.append("CRON_TZ or TZ used in spec.schedule is not officially supported")
    if old is not None and new["metadata"].get("generation") == old["metadata"].get("generation"):
        return texts
    job = ((new.get("spec") or {}).get("jobTemplate") or {}).get("spec") or {}
    return [*texts, *pod_warnings(job.get("template") or {}, "spec.jobTemplate.spec.template")]


def _row(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    last = status.get("lastScheduleTime")
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    return [
        name_of(obj),
        spec.get("schedule") or "",
        spec.get("timeZone") or NONE,
        bool_text(spec.get("suspend")).capitalize(),
        len(status.get("active") or ()),
        age(last, now) if last else NONE,
        age_of(obj, now),
        *container_cells((job.get("template") or {}).get("spec")),
        format_selector(job.get("selector")),
    ]


CRON_JOBS = Resource(
    group="batch",
    version="v1",
    kind="CronJob",
    plural="cronjobs",
    namespaced=True,
    short_names=("cj",),
    categories=("all",),
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        is_complete=True,
        namespaced=True,
        has_status=True,
        tracks_generation=True,
        defaults=_default,
        rules=_rules,
        warns=_warns,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Schedule", description="When jobs are made, in cron's words."),
        Column("Timezone", description="The time zone the schedule is meant in."),
        Column("Suspend", "boolean", description="Whether no jobs are made for now."),
        Column("Active", "integer", description="How many of the jobs run."),
        Column("Last Schedule", description="When a job was made last."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    schema=_SCHEMA,
)
