"""Job: pods that run until enough of them have succeeded.

Unless `manualSelector` is set, the server makes the selector from the job's uid, so that two jobs never
fight over pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.apps.templates import restart_errors
from wherry.api.columns import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    SELECTOR,
    age_of,
    format_selector,
    template_cells,
)
from wherry.api.core.pod_spec import default_pod_template, validate_pod_template
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import (
    validate_immutable,
    validate_label_selector,
    validate_non_negative,
    validate_one_of,
)
from wherry.objects.conditions import is_true
from wherry.objects.durations import human_duration
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.meta import Object, is_deleting, labels_of, metadata, name_of, parse_time
from wherry.objects.selectors import from_label_selector

_SCHEMA = "io.k8s.api.batch.v1.Job"
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"
OLD_CONTROLLER_UID = "controller-uid"
OLD_JOB_NAME = "job-name"
_COUNTS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)


def default_job_spec(spec: Object) -> None:
    """Default a JobSpec in place."""
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    if spec.get("parallelism") is None:
        spec["parallelism"] = 1
    if spec.get("backoffLimit") is None:
        per_index = spec.get("backoffLimitPerIndex") is not None
        spec["backoffLimit"] = 2**31 - 1 if per_index else 6
    if not spec.get("completionMode"):
        spec["completionMode"] = "NonIndexed"
    if spec.get("suspend") is None:
        spec["suspend"] = False
    if not spec.get("podReplacementPolicy"):
        spec["podReplacementPolicy"] = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    if spec.get("manualSelector") is None:
        spec["manualSelector"] = False
    default_pod_template(spec.setdefault("template", {}))


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    default_job_spec(spec)
    labels = labels_of(spec["template"])
    if labels and not metadata(obj).get("labels"):
        obj.setdefault("metadata", {})["labels"] = dict(labels)


def _prepare(new: Object, old: Object | None) -> None:
    """Make the selector, and label the template to match it."""
    spec = new.get("spec") or {}
    if old is not None or spec.get("manualSelector"):
        return
    uid, name = metadata(new).get("uid") or "", name_of(new)
    template = spec.setdefault("template", {})
    labels = dict(labels_of(template))
    labels |= {CONTROLLER_UID: uid, OLD_CONTROLLER_UID: uid, JOB_NAME: name, OLD_JOB_NAME: name}
    template.setdefault("metadata", {})["labels"] = labels
    selector = dict(spec.get("selector") or {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), CONTROLLER_UID: uid}
    spec["selector"] = selector


def job_spec_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    """What is wrong with a JobSpec at `path`, apart from its selector."""
    errors: list[FieldError] = []
    for name in _COUNTS:
        errors += validate_non_negative(f"{path}.{name}", spec.get(name))
    mode = spec.get("completionMode")
    errors += validate_one_of(f"{path}.completionMode", mode, ("Indexed", "NonIndexed"))
    if mode == "Indexed" and spec.get("completions") is None:
        errors.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if mode != "Indexed" and spec.get("backoffLimitPerIndex") is not None:
        why = "requires indexed completion mode"
        errors.append(invalid_value(f"{path}.backoffLimitPerIndex", spec["backoffLimitPerIndex"], why))
    policy = spec.get("podReplacementPolicy")
    errors += validate_one_of(f"{path}.podReplacementPolicy", policy, ("Failed", "TerminatingOrFailed"))
    template = spec.get("template") or {}
    errors += validate_pod_template(template, f"{path}.template")
    return errors + restart_errors(template, f"{path}.template", ("OnFailure", "Never"))


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = job_spec_errors(spec, "spec")
    selector = spec.get("selector")
    if selector is None:
        errors.append(required("spec.selector"))
    else:
        errors += validate_label_selector(selector, "spec.selector")
        labels = labels_of(spec.get("template") or {})
        if not errors and not from_label_selector(selector).matches(labels):
            why = "`selector` does not match template `labels`"
            errors.append(invalid_value("spec.template.metadata.labels", dict(labels), why))
    return errors + (_change_errors(spec, old) if old is not None else [])


def _change_errors(spec: Mapping[str, Any], old: Object) -> list[FieldError]:
    before = old.get("spec") or {}
    errors: list[FieldError] = []
    fixed = ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy"]
    if spec.get("completionMode") != "Indexed":
        fixed.append("completions")
    never_ran = before.get("suspend") and not (old.get("status") or {}).get("startTime")
    if not never_ran:
        fixed.append("template")
    for name in fixed:
        errors += validate_immutable(f"spec.{name}", spec.get(name), before.get(name))
    return errors


def job_status_word(job: Object) -> str:
    """The Status cell: Complete, Failed, Suspended, Terminating, Running ..."""
    conditions = (job.get("status") or {}).get("conditions")
    for condition in ("Complete", "Failed"):
        if is_true(conditions, condition):
            return condition
    if is_deleting(job):
        return "Terminating"
    for condition in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if is_true(conditions, condition):
            return condition
    return "Running"


def _completions(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    done, wanted = status.get("succeeded") or 0, spec.get("completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallelism = spec.get("parallelism") or 0
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _duration(status: Mapping[str, Any], now: datetime) -> str:
    started, ended = status.get("startTime"), status.get("completionTime")
    if not started:
        return ""
    return human_duration(((parse_time(ended) if ended else now) - parse_time(started)).total_seconds())


def _row(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        name_of(obj),
        job_status_word(obj),
        _completions(spec, status),
        _duration(status, now),
        age_of(obj, now),
        *template_cells(obj),
        format_selector(spec.get("selector")),
    ]


def _succeeded(obj: Object) -> str:
    return str((obj.get("status") or {}).get("succeeded") or 0)


JOBS = Resource(
    group="batch",
    version="v1",
    kind="Job",
    plural="jobs",
    namespaced=True,
    categories=("all",),
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=True,
        has_status=True,
        tracks_generation=True,
        defaults=_default,
        prepares=_prepare,
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Status", description="Status of the job."),
        Column("Completions", description="How many of the wanted pods have succeeded."),
        Column("Duration", description="Time required to complete the job."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    selectable={"status.successful": _succeeded},
    schema=_SCHEMA,
)
