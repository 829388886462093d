"""Job: pods that run until enough of them have succeeded.

Unless `manualSelector` is set, the server makes the selector from the job's uid, so that two jobs never
fight over pods. What may change of a suspended job: pkg/apis/batch/validation, validatePodTemplateUpdate, and
KEP-5440.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.batch.job_spec import (
    MANY_COMPLETIONS,
    MAX_WITH_MANY_COMPLETIONS,
    default_job_spec,
    job_spec_errors,
)
from wherry.api.batch.job_status import job_status_errors
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
from wherry.api.core.replicated import template_warnings
from wherry.api.equality import is_same
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import IMMUTABLE, validate_label_selector, validate_off
from wherry.objects.conditions import is_true
from wherry.objects.durations import human_duration
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.meta import Object, is_deleting, labels_of, metadata, name_of, parse_time
from wherry.objects.names import dns1123_label_errors
from wherry.objects.selectors import from_label_selector

_SCHEMA = "io.k8s.api.batch.v1.Job"
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"
OLD_CONTROLLER_UID = "controller-uid"
OLD_JOB_NAME = "job-name"
_FIXED = (
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
)


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    default_job_spec(spec)
    labels = labels_of(spec["template"])
    if labels and not metadata(obj).get("labels"):
        obj.setdefault("metadata", {})["labels"] = dict(labels)


def _prepare(new: Object, old: Object | None) -> None:
    """Make the selector, and label the template to match it; labels given by hand stay, to be judged.

    A job without labels has its template's: those it is read with ever after, so it is created with them.
    """
    spec = new.get("spec") or {}
    if old is not None or spec.get("manualSelector"):
        return
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})["labels"] = {**_own_labels(new), **labels_of(template)}
    selector = dict(spec.get("selector") or {})
    mine = {CONTROLLER_UID: metadata(new).get("uid") or ""}
    selector["matchLabels"] = {**mine, **(selector.get("matchLabels") or {})}
    spec["selector"] = selector
    if not labels_of(new):
        new["metadata"]["labels"] = labels_of(template)


def _own_labels(job: Object) -> dict[str, str]:
    """The labels that tell a job's pods from all others, by their new and their old names."""
    uid, name = metadata(job).get("uid") or "", name_of(job)
    return {OLD_CONTROLLER_UID: uid, OLD_JOB_NAME: name, CONTROLLER_UID: uid, JOB_NAME: name}


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = _generated_errors(new, spec) if old is None else []
    errors += validate_off(new, old, "spec.scheduling")
    errors += job_spec_errors(spec, "spec")
    selector = spec.get("selector")
    if selector is None:
        errors.append(required("spec.selector"))
    else:
        wrong = validate_label_selector(selector, "spec.selector")
        errors += wrong
        labels = labels_of(spec.get("template") or {})
        if not wrong and not from_label_selector(selector).matches(labels):
            why = "`selector` does not match template `labels`"
            errors.append(invalid_value("spec.template.metadata.labels", dict(labels), why))
    return errors + (_change_errors(spec, old) if old is not None else _name_errors(new, spec))


def _generated_errors(job: Object, spec: Mapping[str, Any]) -> list[FieldError]:
    """The generated labels and selector are as generated: nobody set others by hand."""
    if spec.get("manualSelector") or spec.get("selector") is None:
        return []
    wanted, labels = _own_labels(job), labels_of(spec.get("template") or {})
    errors = [] if metadata(job).get("uid") else [required("metadata.uid")]
    for key, value in wanted.items():
        at = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            errors.append(required(at, f"must be '{value}'"))
        elif labels[key] != value:
            errors.append(invalid_value(at, dict(labels), f"must be '{value}'"))
    if validate_label_selector(spec["selector"], ""):
        return errors
    if not from_label_selector(spec["selector"]).matches(wanted):
        errors.append(invalid_value("spec.selector", spec["selector"], "`selector` not auto-generated"))
    return errors


def _name_errors(job: Object, spec: Mapping[str, Any]) -> list[FieldError]:
    """Pods of an indexed job are called after it and their index, and need a valid hostname."""
    completions = spec.get("completions") or 0
    if spec.get("completionMode") != "Indexed" or completions <= 0:
        return []
    hostname = f"{name_of(job)}-{completions - 1}"
    if not dns1123_label_errors(hostname):
        return []
    why = f"will not able to create pod with invalid DNS label: {hostname}"
    return [invalid_value("metadata.name", name_of(job), why)]


def _change_errors(spec: Mapping[str, Any], old: Object) -> list[FieldError]:
    before = old.get("spec") or {}
    errors = _completions_errors(spec, before)
    template = spec.get("template") or {}
    kept = before.get("template") or {}
    if before.get("suspend") and _is_at_rest(old.get("status") or {}):
        kept = _with_resources(_with_directives(kept, template), template)
    for name, value, stored in (
        ("selector", spec.get("selector"), before.get("selector")),
        ("template", template, kept),
        *((name, spec.get(name), before.get(name)) for name in _FIXED),
    ):
        if not is_same(value, stored):
            errors.append(invalid_value(f"spec.{name}", value, IMMUTABLE))
    return errors


def _completions_errors(spec: Mapping[str, Any], before: Mapping[str, Any]) -> list[FieldError]:
    now, was, path = spec.get("completions"), before.get("completions"), "spec.completions"
    if spec.get("completionMode") != "Indexed":
        return [] if now == was else [invalid_value(path, now, IMMUTABLE)]
    if now in (was, None) or now == spec.get("parallelism"):
        return []
    return [invalid_value(path, now, "can only be modified in tandem with spec.parallelism")]


def _with_directives(old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
    """The old template with what steers scheduling taken from the new."""
    after, before = new.get("spec") or {}, dict(old.get("spec") or {})
    affinity = {name: rule for name, rule in (before.get("affinity") or {}).items() if name != "nodeAffinity"}
    if after.get("affinity") is not None:
        before["affinity"] = {**affinity, "nodeAffinity": after["affinity"].get("nodeAffinity")}
    else:
        before["affinity"] = affinity or None
    for name in ("nodeSelector", "tolerations", "schedulingGates"):
        before[name] = after.get(name)
    meta = dict(old.get("metadata") or {})
    for name in ("labels", "annotations"):
        meta[name] = (new.get("metadata") or {}).get(name)
    return {**old, "metadata": meta, "spec": before}


def _with_resources(old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
    """The old template with the resources of its containers taken from the new, where both have the same."""
    after, before = new.get("spec") or {}, dict(old.get("spec") or {})
    for name in ("containers", "initContainers"):
        then, now = before.get(name) or [], after.get(name) or []
        if then and [c.get("name") for c in then] == [c.get("name") for c in now]:
            before[name] = [
                {**c, "resources": d.get("resources") or {}} for c, d in zip(then, now, strict=True)
            ]
    return {**old, "spec": before}


def _is_at_rest(status: Mapping[str, Any]) -> bool:
    """Whether a suspended job has no pods any more: it never started, or its controller says so."""
    if status.get("active"):
        return False
    return not status.get("startTime") or is_true(status.get("conditions"), "Suspended")


def _warns(new: Object, old: Object | None) -> list[str]:
    texts = template_warnings(new, old)
    spec = new.get("spec") or {}
    completions, parallelism = spec.get("completions") or 0, spec.get("parallelism") or 0
    if (
        spec.get("completionMode") == "Indexed"
        and completions > MANY_COMPLETIONS
        and parallelism > MAX_WITH_MANY_COMPLETIONS
    ):
        texts.append(
            f"In Indexed Jobs with a number of completions higher than {MANY_COMPLETIONS} and a "
            f"parallelism higher than {MAX_WITH_MANY_COMPLETIONS}, Kubernetes might not be able to track "
            "completedIndexes when a big number of indexes fail"
        )
    return texts


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
        is_complete=True,
        namespaced=True,
        has_status=True,
        tracks_generation=True,
        orphans_by_default=True,
        defaults=_default,
        prepares=_prepare,
        rules=_rules,
        status_rules=job_status_errors,
        warns=_warns,
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
