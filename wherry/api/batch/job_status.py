"""What a Job's status may say, and how it may go on from the one before.

Most rules hold only when a part they are about changed, so that a job which broke one long ago can
still be written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wherry.api.batch.index_ranges import first_overlap, parse_ranges
from wherry.api.validation import validate_all_non_negative
from wherry.objects.conditions import is_true
from wherry.objects.errors import FieldError, duplicate_value, invalid_state, invalid_value, required
from wherry.objects.meta import Object, parse_time

COMPLETE, FAILED = "Complete", "Failed"
TARGET, MET = "FailureTarget", "SuccessCriteriaMet"
_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_EXCLUSIVE = (
    (COMPLETE, FAILED, "cannot set Complete=True and Failed=true conditions"),
    (COMPLETE, TARGET, "cannot set Complete=True and FailureTarget=true conditions"),
    (MET, FAILED, "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
    (MET, TARGET, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
)

Fields = Mapping[str, Any]


def job_status_errors(new: Object, old: Object) -> list[FieldError]:
    """What is wrong with the status of `new`, written over that of the stored job `old`."""
    spec, status, before = new.get("spec") or {}, new.get("status") or {}, old.get("status") or {}
    errors = validate_all_non_negative(status, _COUNTS, "status")
    errors += _uncounted_errors(status.get("uncountedTerminatedPods") or {})
    errors += _condition_errors(spec, status, before)
    errors += _time_errors(status, before)
    errors += _finished_errors(spec, status, before)
    errors += _index_errors(spec, status, before)
    ready = status.get("ready")
    crowded = ready is not None and ready > (status.get("active") or 0)
    if crowded and _changed(status, before, "ready", "active"):
        errors.append(invalid_value("status.ready", ready, "cannot set more ready pods than active"))
    return errors + _progress_errors(spec, status, before)


def end_of(job: Fields) -> Fields | None:
    """The condition that says how the job ended ("Complete" or "Failed"), None while it has not."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("type") in (COMPLETE, FAILED) and condition.get("status") == "True":
            found: Fields = condition
            return found
    return None


def _has(status: Fields, condition: str) -> bool:
    return is_true(status.get("conditions"), condition)


def _turned(status: Fields, before: Fields, *conditions: str) -> bool:
    return any(_has(status, condition) != _has(before, condition) for condition in conditions)


def _changed(status: Fields, before: Fields, *names: str) -> bool:
    return any((status.get(name) or None) != (before.get(name) or None) for name in names)


def _is_finished(status: Fields) -> bool:
    return _has(status, COMPLETE) or _has(status, FAILED)


def _uncounted_errors(pods: Fields) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for name in ("succeeded", "failed"):
        for index, uid in enumerate(pods.get(name) or ()):
            at = f"status.uncountedTerminatedPods.{name}[{index}]"
            if not uid:
                errors.append(invalid_value(at, uid, "must not be empty"))
            elif uid in seen:
                errors.append(duplicate_value(at, uid))
            seen.add(uid)
    return errors


def _condition_errors(spec: Fields, status: Fields, before: Fields) -> list[FieldError]:
    texts = [
        text
        for one, other, text in _EXCLUSIVE
        if _has(status, one) and _has(status, other) and (one == MET or _turned(status, before, one, other))
    ]
    failed_anew = _turned(status, before, FAILED) or _changed(status, before, "failedIndexes")
    if failed_anew and _has(status, FAILED) and not _has(status, TARGET):
        texts.append("cannot set Failed=True condition without the FailureTarget=true condition")
    if _has(status, COMPLETE) and not _has(status, MET):
        if _turned(status, before, COMPLETE, MET):
            texts.append("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
        if spec.get("successPolicy") is not None:
            texts.append("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")
    return [invalid_state("status.conditions", text) for text in texts]


def _time_errors(status: Fields, before: Fields) -> list[FieldError]:
    started, ended, path = status.get("startTime"), status.get("completionTime"), "status.completionTime"
    complete, errors = _has(status, COMPLETE), list[FieldError]()
    if _turned(status, before, COMPLETE) or _changed(status, before, "completionTime"):
        if ended and not complete:
            why = "cannot set completionTime when there is no Complete=True condition"
            errors.append(invalid_value(path, ended, why))
        if complete and not ended:
            errors.append(required(path, "completionTime is required for Complete jobs"))
    if (
        started
        and ended
        and _changed(status, before, "startTime", "completionTime")
        and parse_time(ended) < parse_time(started)
    ):
        errors.append(invalid_value(path, ended, "completionTime cannot be set before startTime"))
    return errors


def _finished_errors(spec: Fields, status: Fields, before: Fields) -> list[FieldError]:
    if not _is_finished(status):
        return []
    anew = not _is_finished(before)
    errors: list[FieldError] = []
    for name in ("active", "terminating"):
        if (status.get(name) or 0) > 0 and (anew or _changed(status, before, name)):
            why = f"{name}>0 is invalid for finished job"
            errors.append(invalid_value(f"status.{name}", status[name], why))
    idle = spec.get("suspend") and spec.get("completions") == 0
    if not status.get("startTime") and (anew or _changed(status, before, "startTime")) and not idle:
        errors.append(required("status.startTime", "startTime is required for finished job"))
    pods = status.get("uncountedTerminatedPods") or {}
    left = pods.get("failed") or pods.get("succeeded")
    if left and (anew or _changed(status, before, "uncountedTerminatedPods")):
        why = "uncountedTerminatedPods needs to be empty for finished job"
        errors.append(invalid_value("status.uncountedTerminatedPods", pods, why))
    return errors


def _index_errors(spec: Fields, status: Fields, before: Fields) -> list[FieldError]:
    done, failed = status.get("completedIndexes") or "", status.get("failedIndexes")
    completions, per_index = spec.get("completions"), spec.get("backoffLimitPerIndex") is not None
    done_anew = _changed(status, before, "completedIndexes")
    failed_anew = _changed(status, before, "failedIndexes")
    errors: list[FieldError] = []
    if done_anew and completions is not None:
        errors += _range_errors("completedIndexes", done, completions)
    if failed_anew and completions is not None and per_index:
        errors += _range_errors("failedIndexes", failed or "", completions)
    if done_anew and done and spec.get("completionMode") != "Indexed":
        why = "cannot set non-empty completedIndexes when non-indexed completion mode"
        errors.append(invalid_value("status.completedIndexes", done, why))
    if failed is None:
        return errors
    if failed_anew and not per_index:
        why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        errors.append(invalid_value("status.failedIndexes", failed, why))
    if (done_anew or failed_anew) and completions is not None:
        both = first_overlap(done, failed, completions)
        if both is not None:
            why = f"failedIndexes and completedIndexes overlap at index: {both}"
            errors.append(invalid_value("status.failedIndexes", failed, why))
    return errors


def _range_errors(name: str, text: str, completions: int) -> Iterable[FieldError]:
    try:
        parse_ranges(text, completions)
    except ValueError as error:
        return [invalid_value(f"status.{name}", text, f"error parsing {name}: {error}")]
    return []


def _progress_errors(spec: Fields, status: Fields, before: Fields) -> list[FieldError]:
    """Counters do not go back, and what is settled stays so."""
    errors = [
        invalid_state("status.conditions", f"cannot disable the terminal {condition}=True condition")
        for condition in (FAILED, COMPLETE, TARGET)
        if _has(before, condition) and not _has(status, condition)
    ]
    elastic = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    for name in ("failed", "succeeded"):
        now, was = status.get(name) or 0, before.get(name) or 0
        if now < was and not (name == "succeeded" and elastic):
            errors.append(invalid_value(f"status.{name}", now, f"cannot decrease the {name} counter"))
    ended, was_ended = status.get("completionTime"), before.get("completionTime")
    if ended and was_ended and ended != was_ended:
        errors.append(invalid_value("status.completionTime", ended, "completionTime cannot be mutated"))
    if before.get("startTime") and _changed(status, before, "startTime") and not spec.get("suspend"):
        why = "startTime cannot be removed for unsuspended job"
        errors.append(required("status.startTime", why))
    if _has(before, MET) and not _has(status, MET):
        why = "cannot disable the SuccessCriteriaMet=True condition"
        errors.append(invalid_state("status.conditions", why))
    if _has(before, COMPLETE) and not _has(before, MET) and _has(status, MET):
        why = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        errors.append(invalid_state("status.conditions", why))
    return errors
