"""What an autoscaler may be told to measure: one source to each entry, and what each must say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from wherry.api.core.pod_spec.resources import resource_name_errors
from wherry.api.validation import check_text
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported, required
from wherry.objects.names import dns1123_label_errors, path_segment_errors
from wherry.objects.quantity import parse_quantity

Fields = Mapping[str, Any]

SOURCES = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
"""The field that holds the source, by type; in the order upstream reads them."""
TARGETS = ("Utilization", "Value", "AverageValue")

_NO_SHARE = "must set either a target raw value or a target utilization"
_BOTH_SHARES = "may not set both a target raw value and a target utilization"


def metric_errors(metrics: Sequence[Fields], path: str) -> list[FieldError]:
    """What is wrong with the metrics at `path`."""
    return [
        error for index, metric in enumerate(metrics) for error in _one_errors(metric, f"{path}[{index}]")
    ]


def reference_errors(reference: Fields, path: str) -> list[FieldError]:
    """A `CrossVersionObjectReference`: kind and name, either usable in a URL."""
    errors: list[FieldError] = []
    for name in ("kind", "name"):
        value, at = reference.get(name) or "", f"{path}.{name}"
        errors += check_text(at, value, path_segment_errors) if value else [required(at)]
    return errors


def api_version_errors(reference: Fields, path: str, *, needs_group: bool) -> list[FieldError]:
    """The apiVersion of a `CrossVersionObjectReference`; rules: upstream's ValidateAPIVersion."""
    version = reference.get("apiVersion") or ""
    if version.count("/") > 1:
        why = f"unexpected GroupVersion string: {version}"
    elif needs_group and not version.partition("/")[1]:
        why = "apiVersion must specify API group"
    else:
        return []
    return [invalid_value(f"{path}.apiVersion", version, why)]


def described_errors(metrics: Iterable[Fields], path: str) -> list[FieldError]:
    """The API versions of the objects that metrics are about."""
    return [
        error
        for index, metric in enumerate(metrics)
        if metric.get("type") == "Object" and (source := metric.get("object")) is not None
        for error in api_version_errors(
            source.get("describedObject") or {}, f"{path}[{index}].object.describedObject", needs_group=False
        )
    ]


def _one_errors(metric: Fields, path: str) -> list[FieldError]:
    kind = metric.get("type") or ""
    errors: list[FieldError] = []
    if not kind:
        errors.append(required(f"{path}.type", "must specify a metric source type"))
    if kind not in SOURCES:
        errors.append(not_supported(f"{path}.type", kind, sorted(SOURCES)))
    given = [field for field in SOURCES.values() if metric.get(field) is not None]
    for field in given[:1]:
        errors += _SOURCES[field](metric[field], f"{path}.{field}")
    expected = SOURCES.get(kind)
    if expected is not None and expected not in given:
        why = "must populate information for the given metric source"
        errors.append(required(f"{path}.{expected}", why))
    if len(given) > 1:
        errors += [
            forbidden_value(f"{path}.{field}", "must populate the given metric source only")
            for field in given
            if field != expected
        ]
    return errors


def _target_errors(source: Fields, path: str) -> list[FieldError]:
    target, at = source.get("target") or {}, f"{path}.target"
    kind, errors = target.get("type") or "", list[FieldError]()
    if not kind:
        errors.append(required(f"{at}.type", "must specify a metric target type"))
    if kind not in TARGETS:
        why = "must be either Utilization, Value, or AverageValue"
        errors.append(invalid_value(f"{at}.type", kind, why))
    for name in ("value", "averageValue"):
        amount = target.get(name)
        if amount is not None and not _is_positive(amount):
            errors.append(invalid_value(f"{at}.{name}", amount, "must be positive"))
    percent = target.get("averageUtilization")
    if percent is not None and percent < 1:
        errors.append(invalid_value(f"{at}.averageUtilization", percent, "must be greater than 0"))
    return errors


def _is_positive(amount: str | int | float) -> bool:
    try:
        return parse_quantity(amount) > 0
    except ValueError:
        return False


def _identifier_errors(source: Fields, path: str) -> list[FieldError]:
    name, at = (source.get("metric") or {}).get("name") or "", f"{path}.metric.name"
    return check_text(at, name, path_segment_errors) if name else [required(at, "must specify a metric name")]


def _given(source: Fields, *names: str) -> list[bool]:
    target = source.get("target") or {}
    return [target.get(name) is not None for name in names]


def _object_errors(source: Fields, path: str) -> list[FieldError]:
    errors = reference_errors(source.get("describedObject") or {}, f"{path}.describedObject")
    errors += _identifier_errors(source, path) + _target_errors(source, path)
    if not any(_given(source, "value", "averageValue")):
        why = "must set either a target value or averageValue"
        errors.append(required(f"{path}.target.averageValue", why))
    return errors


def _external_errors(source: Fields, path: str) -> list[FieldError]:
    errors = _identifier_errors(source, path) + _target_errors(source, path)
    given = _given(source, "value", "averageValue")
    if not any(given):
        why = "must set either a target value for metric or a per-pod target"
        errors.append(required(f"{path}.target.averageValue", why))
    if all(given):
        why = "may not set both a target value for metric and a per-pod target"
        errors.append(forbidden_value(f"{path}.target.value", why))
    return errors


def _pods_errors(source: Fields, path: str) -> list[FieldError]:
    errors = _identifier_errors(source, path) + _target_errors(source, path)
    if not any(_given(source, "averageValue")):
        why = "must specify a positive target averageValue"
        errors.append(required(f"{path}.target.averageValue", why))
    return errors


def _resource_errors(source: Fields, path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [required(f"{path}.name", "must specify a resource name")]
    return errors + _share_errors(source, path)


def _container_errors(source: Fields, path: str) -> list[FieldError]:
    name, container = source.get("name") or "", source.get("container") or ""
    errors: list[FieldError] = []
    if name:
        errors += [invalid_value(f"{path}.name", name, text) for text in resource_name_errors(name)]
    else:
        errors.append(required(f"{path}.name", "must specify a resource name"))
    if container:
        errors += check_text(f"{path}.container", container, dns1123_label_errors)
    else:
        errors.append(required(f"{path}.container", "must specify a container"))
    return errors + _share_errors(source, path)


def _share_errors(source: Fields, path: str) -> list[FieldError]:
    errors = _target_errors(source, path)
    given = _given(source, "averageUtilization", "averageValue")
    if not any(given):
        errors.append(required(f"{path}.target.averageUtilization", _NO_SHARE))
    if all(given):
        errors.append(forbidden_value(f"{path}.target.averageValue", _BOTH_SHARES))
    return errors


_SOURCES: dict[str, Callable[[Fields, str], list[FieldError]]] = {
    "object": _object_errors,
    "external": _external_errors,
    "pods": _pods_errors,
    "resource": _resource_errors,
    "containerResource": _container_errors,
}
