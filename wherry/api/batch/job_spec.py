"""What a JobSpec may say, of a job itself or of a cron job's template: all but the selector.

Rules: pkg/apis/batch/v1, SetDefaults_Job; pkg/apis/batch/validation, validateJobSpec.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.batch.job_policies import default_failure_policy, failure_policy_errors, success_policy_errors
from wherry.api.core.pod_spec import default_pod_template, validate_pod_template
from wherry.api.validation import validate_all_non_negative, validate_domain_prefixed_path
from wherry.objects.errors import FieldError, invalid_value, not_supported, required, too_long

MAX_INDEXED_PARALLELISM = 100_000
MAX_FAILED_INDEXES = 100_000
MANY_COMPLETIONS = 100_000
MAX_WITH_MANY_COMPLETIONS = 10_000
MANAGER_LIMIT_B = 63
_COUNTS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
_MODES = ("NonIndexed", "Indexed")
_REPLACEMENTS = ("Failed", "TerminatingOrFailed")
_RESTARTS = ("OnFailure", "Never")

Fields = Mapping[str, Any]


def default_job_spec(spec: dict[str, Any]) -> None:
    """Default a JobSpec in place."""
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    if spec.get("parallelism") is None:
        spec["parallelism"] = 1
    if spec.get("backoffLimit") is None:
        per_index = spec.get("backoffLimitPerIndex") is not None
        spec["backoffLimit"] = 2**31 - 1 if per_index else 6
    if spec.get("completionMode") is None:
        spec["completionMode"] = "NonIndexed"
    if spec.get("suspend") is None:
        spec["suspend"] = False
    if spec.get("podReplacementPolicy") is None:
        spec["podReplacementPolicy"] = _replacement(spec)
    if spec.get("manualSelector") is None:
        spec["manualSelector"] = False
    default_failure_policy(spec)
    default_pod_template(spec.setdefault("template", {}))


def _replacement(spec: Fields) -> str:
    return "TerminatingOrFailed" if spec.get("podFailurePolicy") is None else "Failed"


def job_spec_errors(spec: Fields, path: str) -> list[FieldError]:
    """What is wrong with a JobSpec at `path`, apart from its selector."""
    errors = validate_all_non_negative(spec, _COUNTS, path)
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        errors.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    if (manager := spec.get("managedBy")) is not None:
        errors += validate_domain_prefixed_path(f"{path}.managedBy", manager)
        if len(manager) > MANAGER_LIMIT_B:
            errors.append(too_long(f"{path}.managedBy", MANAGER_LIMIT_B))
    mode = spec.get("completionMode")
    if mode is not None and mode not in _MODES:
        errors.append(not_supported(f"{path}.completionMode", mode, _MODES))
    if mode == "Indexed":
        errors += _indexed_errors(spec, path)
    elif mode in (None, "NonIndexed"):
        errors += [
            invalid_value(f"{path}.{name}", spec[name], "requires indexed completion mode")
            for name in ("backoffLimitPerIndex", "maxFailedIndexes")
            if spec.get(name) is not None
        ]
    errors += _policy_errors(spec, path)
    errors += validate_pod_template(spec.get("template") or {}, f"{path}.template")
    return errors + _restart_errors(spec, f"{path}.template.spec.restartPolicy")


def _indexed_errors(spec: Fields, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    completions, parallelism = spec.get("completions"), spec.get("parallelism") or 0
    failed = spec.get("maxFailedIndexes")
    if completions is None:
        errors.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism > MAX_INDEXED_PARALLELISM:
        why = f"must be less than or equal to {MAX_INDEXED_PARALLELISM} when completion mode is Indexed"
        errors.append(invalid_value(f"{path}.parallelism", parallelism, why))
    at = f"{path}.maxFailedIndexes"
    if failed is not None and completions is not None and failed > completions:
        errors.append(invalid_value(at, failed, "must be less than or equal to completions"))
    if failed is not None and failed > MAX_FAILED_INDEXES:
        errors.append(invalid_value(at, failed, f"must be less than or equal to {MAX_FAILED_INDEXES}"))
    if (completions or 0) <= MANY_COMPLETIONS or spec.get("backoffLimitPerIndex") is None:
        return errors
    if failed is None:
        errors.append(required(at, f"must be specified when completions is above {MANY_COMPLETIONS}"))
    why = (
        f"must be less than or equal to {MAX_WITH_MANY_COMPLETIONS} when completions are above "
        f"{MANY_COMPLETIONS} and used with backoff limit per index"
    )
    if parallelism > MAX_WITH_MANY_COMPLETIONS:
        errors.append(invalid_value(f"{path}.parallelism", parallelism, why))
    if failed is not None and failed > MAX_WITH_MANY_COMPLETIONS:
        errors.append(invalid_value(at, failed, why))
    return errors


def _policy_errors(spec: Fields, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if spec.get("podFailurePolicy") is not None:
        errors += failure_policy_errors(spec, f"{path}.podFailurePolicy")
    if (success := spec.get("successPolicy")) is not None:
        at = f"{path}.successPolicy"
        if spec.get("completionMode") == "Indexed":
            errors += success_policy_errors(spec, at)
        else:
            errors.append(invalid_value(at, success, "requires indexed completion mode"))
    replacement = spec.get("podReplacementPolicy")
    choices = _REPLACEMENTS[:1] if spec.get("podFailurePolicy") is not None else _REPLACEMENTS
    if replacement is not None and replacement not in choices:
        errors.append(not_supported(f"{path}.podReplacementPolicy", replacement, choices))
    return errors


def _restart_errors(spec: Fields, path: str) -> list[FieldError]:
    """A job's pods end; "Always" is what defaulting fills in, so it counts as not given."""
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy") or ""
    if policy in ("", "Always"):
        return [required(path, "valid values: " + ", ".join(f'"{choice}"' for choice in _RESTARTS))]
    if policy not in _RESTARTS:
        return [not_supported(path, policy, _RESTARTS)]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        return [invalid_value(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []
