"""CronJob: jobs made on a schedule. Its name leaves room for the eleven signs a job's name adds."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wherry.api.batch.jobs import job_spec_errors
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
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_non_negative, validate_one_of
from wherry.objects.durations import age
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import too_long_text

_SCHEMA = "io.k8s.api.batch.v1.CronJob"
_NAME_MAX = 52
_MACRO = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly)|@every\s+\S+")
_NAMES = {
    3: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    4: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
}
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


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
    default_pod_template(job.setdefault("template", {}))


def schedule_fault(schedule: str) -> str:
    """What is wrong with a cron schedule of five fields or an `@` macro, "" if nothing is."""
    text = schedule.strip()
    if text.startswith("@"):
        return "" if _MACRO.fullmatch(text) else f"unrecognized descriptor: {text}"
    fields = text.split()
    if len(fields) != len(_RANGES):
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    faults = (_field_fault(text, index) for index, text in enumerate(fields))
    return next((fault for fault in faults if fault), "")


def _field_fault(text: str, index: int) -> str:
    low, high = _RANGES[index]
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and not (step.isdecimal() and int(step) > 0):
            return f"step of range should be a positive number: {part}"
        if span in ("*", "?"):
            continue
        ends = [_number(end, index) for end in span.split("-", 1)]
        first, last = ends[0], ends[-1]
        if first is None or last is None:
            return f'failed to parse int from {span}: strconv.Atoi: parsing "{span}": invalid syntax'
        if first < low:
            return f"beginning of range ({first}) below minimum ({low}): {part}"
        if last > high:
            return f"end of range ({last}) above maximum ({high}): {part}"
        if first > last:
            return f"beginning of range ({first}) beyond end of range ({last}): {part}"
    return ""


def _number(text: str, index: int) -> int | None:
    names = _NAMES.get(index, [])
    if text.upper() in names:
        return names.index(text.upper()) + _RANGES[index][0]
    return int(text) if text.isdecimal() else None


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    if old is None and len(name_of(new)) > _NAME_MAX:
        errors.append(invalid_value("metadata.name", name_of(new), too_long_text(_NAME_MAX)))
    schedule, zone = spec.get("schedule") or "", spec.get("timeZone")
    if schedule and (fault := schedule_fault(schedule.rpartition("=")[2] if "TZ=" in schedule else schedule)):
        errors.append(invalid_value("spec.schedule", schedule, fault))
    if schedule and "TZ" in schedule:
        why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        errors.append(invalid_value("spec.schedule", schedule, why))
    if zone is not None and not _is_zone(zone):
        errors.append(invalid_value("spec.timeZone", zone, f"unknown time zone {zone}"))
    for name in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        errors += validate_non_negative(f"spec.{name}", spec.get(name))
    policy = spec.get("concurrencyPolicy")
    errors += validate_one_of("spec.concurrencyPolicy", policy, ("Allow", "Forbid", "Replace"))
    return errors + _template_errors(spec.get("jobTemplate") or {})


def _template_errors(template: Object) -> list[FieldError]:
    job = dict(template.get("spec") or {})
    path = "spec.jobTemplate.spec"
    errors: list[FieldError] = []
    if job.get("manualSelector"):
        errors.append(forbidden_value(f"{path}.manualSelector", "`manualSelector` will be auto-generated"))
    if not job.get("template"):
        return [*errors, required(f"{path}.template")]
    filled = {"completionMode": "NonIndexed", "podReplacementPolicy": "TerminatingOrFailed", **job}
    return errors + job_spec_errors(filled, path)


def _is_zone(name: str) -> bool:
    if not name or name.lower() == "local":
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


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
        namespaced=True,
        has_status=True,
        tracks_generation=True,
        defaults=_default,
        rules=_rules,
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
