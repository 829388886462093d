"""What both kinds of webhook configuration share: defaults, rules and the row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column
from wherry.api.validation import check_text, validate_label_selector, validate_one_of
from wherry.objects.errors import FieldError, duplicate_value, invalid_value, not_supported, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import is_fully_qualified_name, is_port_number

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_SUPPORTED_REVIEWS = ("v1", "v1beta1")
_WORDS = {"operations": "operations", "apiGroups": "API groups", "apiVersions": "API versions"}

WEBHOOK_COLUMNS = (NAME, Column("Webhooks", "integer", description="How many webhooks there are."), AGE)


def default_webhooks(obj: Object) -> None:
    """Default every webhook in place."""
    for hook in obj.get("webhooks") or ():
        for name, value in (
            ("failurePolicy", "Fail"),
            ("matchPolicy", "Equivalent"),
            ("namespaceSelector", {}),
            ("objectSelector", {}),
            ("timeoutSeconds", 10),
        ):
            if hook.get(name) is None:
                hook[name] = value
        for rule in hook.get("rules") or ():
            if rule.get("scope") is None:
                rule["scope"] = "*"
        service = (hook.get("clientConfig") or {}).get("service")
        if service is not None and service.get("port") is None:
            service["port"] = 443


def default_reinvocation(obj: Object) -> None:
    """`default_webhooks`, and what only mutating ones have."""
    default_webhooks(obj)
    for hook in obj.get("webhooks") or ():
        if hook.get("reinvocationPolicy") is None:
            hook["reinvocationPolicy"] = "Never"


def webhook_errors(new: Object, _old: Object | None) -> list[FieldError]:
    """What is wrong with the webhooks of a configuration."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, hook in enumerate(new.get("webhooks") or ()):
        path = f"webhooks[{index}]"
        errors += _webhook_errors(hook, path)
        name = hook.get("name") or ""
        if name in seen:
            errors.append(duplicate_value(f"{path}.name", name))
        seen.add(name)
    return errors


def _webhook_errors(hook: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if name := hook.get("name"):
        errors += check_text(f"{path}.name", name, is_fully_qualified_name)
    for index, rule in enumerate(hook.get("rules") or ()):
        errors += rule_errors(rule, f"{path}.rules[{index}]")
    errors += validate_one_of(f"{path}.failurePolicy", hook.get("failurePolicy"), ("Fail", "Ignore"))
    errors += validate_one_of(f"{path}.matchPolicy", hook.get("matchPolicy"), ("Equivalent", "Exact"))
    errors += validate_one_of(f"{path}.sideEffects", hook.get("sideEffects"), ("None", "NoneOnDryRun"))
    timeout_s = hook.get("timeoutSeconds")
    if timeout_s is not None and not 1 <= timeout_s <= 30:
        why = "the timeout value must be between 1 and 30 seconds"
        errors.append(invalid_value(f"{path}.timeoutSeconds", timeout_s, why))
    versions = hook.get("admissionReviewVersions") or []
    if not versions:
        why = f"must specify one of {', '.join(_SUPPORTED_REVIEWS)}"
        errors.append(required(f"{path}.admissionReviewVersions", why))
    elif not set(versions) & set(_SUPPORTED_REVIEWS):
        why = f"must include at least one of {', '.join(_SUPPORTED_REVIEWS)}"
        errors.append(invalid_value(f"{path}.admissionReviewVersions", versions, why))
    for name in ("namespaceSelector", "objectSelector"):
        errors += validate_label_selector(hook.get(name), f"{path}.{name}")
    return errors + _client_errors(hook.get("clientConfig") or {}, f"{path}.clientConfig")


def _client_errors(client: Mapping[str, Any], path: str) -> list[FieldError]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    if url is not None and not url.startswith("https://"):
        why = "'https' is the only allowed URL scheme; desired format: https://host[/path]"
        return [invalid_value(f"{path}.url", url, why)]
    if service is None:
        return []
    errors = [required(f"{path}.service.{name}") for name in ("name", "namespace") if not service.get(name)]
    port = service.get("port")
    if port is not None:
        errors += [invalid_value(f"{path}.service.port", port, text) for text in is_port_number(port)]
    return errors


def rule_errors(rule: Mapping[str, Any], path: str) -> list[FieldError]:
    """A rule names operations, groups, versions and resources, and a scope."""
    errors = [
        required(f"{path}.{name}")
        for name in ("operations", "apiGroups", "apiVersions", "resources")
        if not rule.get(name)
    ]
    for index, operation in enumerate(rule.get("operations") or ()):
        if operation not in _OPERATIONS:
            errors.append(not_supported(f"{path}.operations[{index}]", operation, _OPERATIONS))
    for name in _WORDS:
        values = rule.get(name) or []
        if "*" in values and len(values) > 1:
            why = f"if '*' is present, must not specify other {_WORDS[name]}"
            errors.append(invalid_value(f"{path}.{name}", values, why))
    scope = rule.get("scope")
    if scope is not None and scope not in _SCOPES:
        errors.append(not_supported(f"{path}.scope", scope, _SCOPES))
    return errors


def webhook_row(obj: Object, now: datetime) -> list[Any]:
    """The row of a configuration."""
    return [name_of(obj), len(obj.get("webhooks") or ()), age_of(obj, now)]
