"""Configurations of webhooks; the two kinds differ in that mutating ones may be called again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wherry.api.admissionregistration.matching import (
    FAILURE_POLICIES,
    MATCH_POLICIES,
    condition_errors,
    default_match,
    rule_errors,
    selector_errors,
)
from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import COMPILES, Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text, validate_one_of
from wherry.api.validation.webhooks import webhook_client_errors
from wherry.objects.errors import FieldError, duplicate_value, invalid_value, not_supported, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import dns1035_label_errors, fully_qualified_name_errors
from wherry.objects.repeats import repeated

REVIEW_VERSIONS = ("v1", "v1beta1")
_EFFECTS = ("None", "NoneOnDryRun", "Some", "Unknown")
_NO_EFFECTS = ("None", "NoneOnDryRun")
_REINVOCATIONS = ("IfNeeded", "Never")
Fields = Mapping[str, Any]


def webhook_resource(kind: str, plural: str, *, mutates: bool) -> Resource:
    """The declaration of a kind of configuration."""
    schema = f"io.k8s.api.admissionregistration.v1.{kind}"

    def default(obj: Object) -> None:
        for hook in obj.get("webhooks") or ():
            _default_hook(hook, mutates=mutates)

    return Resource(
        group="admissionregistration.k8s.io",
        version="v1",
        kind=kind,
        plural=plural,
        namespaced=False,
        categories=("api-extensions",),
        strategy=SchemaStrategy(
            unconditional_update=False,
            weight_factor=COMPILES,
            schema=schema,
            namespaced=False,
            tracks_generation=True,
            is_complete=True,
            defaults=default,
            rules=lambda new, old: webhook_errors(new, old, mutates=mutates),
            row=_row,
        ),
        columns=(NAME, Column("Webhooks", "integer", description="How many webhooks there are."), AGE),
        schema=schema,
    )


def _default_hook(hook: Object, *, mutates: bool) -> None:
    default_match(hook)
    more = (("reinvocationPolicy", "Never"),) if mutates else ()
    for name, value in (("failurePolicy", "Fail"), ("timeoutSeconds", 10), *more):
        if hook.get(name) is None:
            hook[name] = value
    service = (hook.get("clientConfig") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = 443


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), len(obj.get("webhooks") or ()), age_of(obj, now)]


@dataclass(frozen=True, slots=True)
class _Leniency:
    """What an update may keep because the stored configuration has it."""

    side_effects: bool = False
    review_versions: bool = False
    repeated_names: bool = False
    odd_selectors: bool = False
    conditions: bool = False


def _leniency(new: Sequence[Fields], old: Sequence[Fields]) -> _Leniency:
    names = [hook.get("name") for hook in old]
    versions = [hook.get("admissionReviewVersions") or () for hook in old]
    conditions = [[hook.get("matchConditions") or [] for hook in hooks] for hooks in (new, old)]
    return _Leniency(
        side_effects=any(hook.get("sideEffects") not in _NO_EFFECTS for hook in old),
        review_versions=any(found and not set(found) & set(REVIEW_VERSIONS) for found in versions),
        repeated_names=len(names) != len(set(names)),
        odd_selectors=any(selector_errors(hook, "") for hook in old),
        conditions=conditions[0] == conditions[1],
    )


def webhook_errors(new: Object, old: Object | None, *, mutates: bool) -> list[FieldError]:
    """What is wrong with the webhooks of a configuration."""
    hooks = new.get("webhooks") or ()
    lenient = _Leniency() if old is None else _leniency(hooks, old.get("webhooks") or ())
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, hook in enumerate(hooks):
        path, name = f"webhooks[{index}]", hook.get("name") or ""
        errors += _hook_errors(hook, path, lenient)
        if mutates:
            policy, at = hook.get("reinvocationPolicy"), f"{path}.reinvocationPolicy"
            errors += [not_supported(at, policy, _REINVOCATIONS)] if policy not in _REINVOCATIONS else []
        errors += _version_errors(hook.get("admissionReviewVersions") or [], path, lenient)
        if name in seen and not lenient.repeated_names:
            errors.append(duplicate_value(f"{path}.name", name))
        seen.add(name)
    return errors


def _hook_errors(hook: Fields, path: str, lenient: _Leniency) -> list[FieldError]:
    errors: list[FieldError] = []
    if name := hook.get("name"):
        errors += check_text(f"{path}.name", name, fully_qualified_name_errors)
    else:
        errors.append(required(f"{path}.name"))
    for index, rule in enumerate(hook.get("rules") or ()):
        errors += rule_errors(rule, f"{path}.rules[{index}]")
    errors += validate_one_of(f"{path}.failurePolicy", hook.get("failurePolicy"), FAILURE_POLICIES)
    errors += validate_one_of(f"{path}.matchPolicy", hook.get("matchPolicy"), MATCH_POLICIES)
    allowed = _EFFECTS if lenient.side_effects else _NO_EFFECTS
    effects = hook.get("sideEffects")
    if effects is None:
        errors.append(required(f"{path}.sideEffects", f"must specify one of {', '.join(allowed)}"))
    elif effects not in allowed:
        errors.append(not_supported(f"{path}.sideEffects", effects, allowed))
    timeout_s = hook.get("timeoutSeconds")
    if timeout_s is not None and not 1 <= timeout_s <= 30:
        why = "the timeout value must be between 1 and 30 seconds"
        errors.append(invalid_value(f"{path}.timeoutSeconds", timeout_s, why))
    errors += selector_errors(hook, path, allows_odd_values=lenient.odd_selectors)
    errors += webhook_client_errors(hook.get("clientConfig") or {}, f"{path}.clientConfig")
    if lenient.conditions:
        return errors
    return errors + condition_errors(hook.get("matchConditions") or (), f"{path}.matchConditions")


def _version_errors(versions: Sequence[str], path: str, lenient: _Leniency) -> list[FieldError]:
    at, known = f"{path}.admissionReviewVersions", ", ".join(REVIEW_VERSIONS)
    if not versions:
        return [required(at, f"must specify one of {known}")]
    errors: list[FieldError] = []
    twice = dict(repeated(versions))
    for index, version in enumerate(versions):
        if index in twice:
            errors.append(invalid_value(f"{at}[{index}]", version, "duplicate version"))
        else:
            errors += check_text(f"{at}[{index}]", version, dns1035_label_errors)
    if not set(versions) & set(REVIEW_VERSIONS) and not lenient.review_versions:
        errors.append(invalid_value(at, list(versions), f"must include at least one of {known}"))
    return errors
