"""The devices of a slice: attributes, capacities, counters, where they can be used."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.core.pod_spec.affinity import validate_node_selector
from wherry.api.dynamicresources.capacities import exclusive_capacity_errors, shared_capacity_errors
from wherry.api.dynamicresources.names import (
    DOMAIN_LIMIT_B,
    KEY_LIMIT_B,
    label_errors,
    qualified_errors,
    required_label_errors,
)
from wherry.api.dynamicresources.taints import TAINTS_LIMIT, taint_errors
from wherry.api.validation import check_text, validate_label_name
from wherry.api.validation.collections import validate_list, validate_map, validate_set
from wherry.objects.errors import (
    FieldError,
    duplicate_value,
    invalid_value,
    required,
    too_long,
    value_not_found,
)
from wherry.objects.names import dns1123_subdomain_errors
from wherry.objects.quantity import canonical_quantity, parse_quantity
from wherry.objects.repeats import repeated

ATTRIBUTES_LIMIT = 32
VALUES_LIMIT = 48
VALUE_LIMIT_B = 64
COUNTERS_LIMIT = 32
CONSUMPTIONS_LIMIT = 2
GROUPS_LIMIT = 2
BINDING_LIMIT = 4
_LISTS = ("bools", "ints", "strings", "versions")
_ONE_VALUE = "exactly one value must be specified"
_ONE_PLACE = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` "
    "is set to true in the ResourceSlice spec"
)
_NO_PLACE = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true "
    "in the ResourceSlice spec"
)
_NUMBER = r"(0|[1-9]\d*)"
_EARLY = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD = r"[0-9a-zA-Z-]+"
_SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_EARLY}(\.{_EARLY})*)?(\+{_BUILD}(\.{_BUILD})*)?", re.ASCII
)
Fields = Mapping[str, Any]


def device_errors(device: Fields, old: Fields | None, path: str, *, places_itself: bool) -> list[FieldError]:
    """A device. What stands as in `old`, the device of that name before, is not judged again.

    `places_itself`: whether each device of the slice says where it can be used.
    """
    errors = label_errors(device.get("name"), f"{path}.name")
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    if (count := len(attributes) + len(capacity)) > ATTRIBUTES_LIMIT:
        why = f"the total number of attributes and capacities must not exceed {ATTRIBUTES_LIMIT}"
        errors.append(invalid_value(path, count, why))
    if (count := sum(_entries(attribute) for attribute in attributes.values())) > VALUES_LIMIT:
        why = f"the total number of attribute values must not exceed {VALUES_LIMIT}"
        errors.append(invalid_value(path, count, why))
    errors += validate_map(
        attributes, f"{path}.attributes", qualified_errors, _attribute_errors, key_limit=KEY_LIMIT_B
    )
    if old is None or (old.get("capacity") or {}) != capacity:
        check = (
            shared_capacity_errors if device.get("allowMultipleAllocations") else exclusive_capacity_errors
        )
        errors += validate_map(capacity, f"{path}.capacity", qualified_errors, check, key_limit=KEY_LIMIT_B)
    if old is None or (old.get("taints") or []) != (device.get("taints") or []):
        errors += validate_list(device.get("taints"), f"{path}.taints", taint_errors, TAINTS_LIMIT)
    errors += validate_set(
        device.get("consumesCounters"),
        f"{path}.consumesCounters",
        _consumption_errors,
        lambda consumption: consumption.get("counterSet") or "",
        CONSUMPTIONS_LIMIT,
    )
    errors += _place_errors(device, path, places_itself=places_itself)
    errors += binding_errors(device, path)
    return errors + _node_resources_errors(device, path)


def _entries(attribute: Fields) -> int:
    return sum(len(attribute.get(name) or ()) for name in _LISTS) or 1


def _attribute_errors(attribute: Fields, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    given = [
        name for name in ("bool", "int", "string", "version", *_LISTS) if attribute.get(name) is not None
    ]
    for name in given:
        value, at = attribute[name], f"{path}.{name}"
        if name in _LISTS:
            if not value:
                errors.append(invalid_value(at, value, "must not be empty if specified"))
            for index, item in enumerate(value):
                errors += _value_errors(name.removesuffix("s"), item, f"{at}[{index}]")
        else:
            errors += _value_errors(name, value, at)
    if not given:
        errors.append(invalid_value(path, "", _ONE_VALUE))
    elif len(given) > 1:
        errors.append(invalid_value(path, dict(attribute), _ONE_VALUE))
    return errors


def _value_errors(kind: str, value: Any, path: str) -> list[FieldError]:
    if kind not in ("string", "version"):
        return []
    errors: list[FieldError] = []
    if kind == "version" and _SEMVER.fullmatch(value) is None:
        errors.append(invalid_value(path, value, "must be a string compatible with semver.org spec 2.0.0"))
    return [*errors, too_long(path, VALUE_LIMIT_B)] if len(value.encode()) > VALUE_LIMIT_B else errors


def counters_errors(counters: Fields | None, path: str) -> list[FieldError]:
    """Counters of a set, or what a device takes of them."""
    if not counters:
        return [required(path)]
    return validate_map(
        counters, path, label_errors, lambda _counter, _at: [], COUNTERS_LIMIT, DOMAIN_LIMIT_B
    )


def _consumption_errors(consumption: Fields, path: str) -> list[FieldError]:
    errors = required_label_errors(consumption.get("counterSet"), f"{path}.counterSet")
    errors += counters_errors(consumption.get("counters"), f"{path}.counters")
    return errors + validate_set(
        consumption.get("compatibilityGroups"),
        f"{path}.compatibilityGroups",
        lambda _group, _at: [],
        lambda group: group,
        GROUPS_LIMIT,
    )


def node_name_errors(name: str, path: str) -> list[FieldError]:
    """The name of a node."""
    return check_text(path, name, dns1123_subdomain_errors)


def _place_errors(device: Fields, path: str, *, places_itself: bool) -> list[FieldError]:
    name, selector, everywhere = (device.get(f) for f in ("nodeName", "nodeSelector", "allNodes"))
    if not places_itself:
        is_told = name is not None or selector is not None or everywhere is not None
        return [invalid_value(path, None, _NO_PLACE)] if is_told else []
    errors: list[FieldError] = []
    given: list[str] = []
    if name:
        given.append("`nodeName`")
        errors += node_name_errors(name, f"{path}.nodeName")
    elif name is not None:
        errors.append(invalid_value(f"{path}.nodeName", name, "must not be empty"))
    if selector is not None:
        given.append("`nodeSelector`")
        validate_node_selector(selector, f"{path}.nodeSelector", errors)
    if everywhere:
        given.append("`allNodes`")
    elif everywhere is not None:
        errors.append(invalid_value(f"{path}.allNodes", False, "must be either unset or set to true"))
    if not given:
        errors.append(required(path, _ONE_PLACE))
    elif len(given) > 1:
        errors.append(invalid_value(path, f"{{{', '.join(given)}}}", _ONE_PLACE))
    return errors


def binding_errors(holder: Fields, path: str) -> list[FieldError]:
    """Conditions a pod waits for before it is bound, and those that make it give up."""
    words = ("bindingConditions", "bindingFailureConditions")
    waits, fails = (list(holder.get(word) or ()) for word in words)
    awaited = set(waits)
    errors: list[FieldError] = []
    for word, found in zip(words, (waits, fails), strict=True):
        errors += validate_list(found, f"{path}.{word}", validate_label_name, BINDING_LIMIT)
        twice = dict(repeated(found))
        for index, condition in enumerate(found):
            at = f"{path}.{word}[{index}]"
            if index in twice:
                errors.append(duplicate_value(at, condition))
            if word == words[1] and condition in awaited:
                why = "bindingFailureConditions must not overlap with bindingConditions"
                errors.append(invalid_value(at, condition, why))
    if fails and not waits:
        why = "bindingConditions are required to use bindingFailureConditions"
        errors.append(invalid_value(f"{path}.{words[0]}", waits or None, why))
    if waits and not fails:
        why = "bindingFailureConditions are required to use bindingConditions"
        errors.append(invalid_value(f"{path}.{words[1]}", fails or None, why))
    return errors


def _node_resources_errors(device: Fields, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, resource in (device.get("nodeAllocatableResources") or {}).items():
        at = f"{path}.nodeAllocatableResources[{name}]"
        if not _is_of_node(name):
            errors.append(invalid_value(at, name, "must be a node allocatable resource name"))
        mapping, overhead = resource.get("mapping"), resource.get("overhead")
        if mapping is None and overhead is None:
            errors.append(required(at, "at least one of mapping or overhead must be set"))
        if mapping is not None:
            errors += _mapping_errors(mapping, device.get("capacity") or {}, f"{at}.mapping")
        if overhead is not None:
            errors += _overhead_errors(overhead, f"{at}.overhead")
    return errors


def _is_of_node(name: str) -> bool:
    return name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-")


def _mapping_errors(mapping: Fields, capacity: Fields, path: str) -> list[FieldError]:
    key, times, each = (mapping.get(f) for f in ("capacityKey", "capacityMultiplier", "deviceMultiplier"))
    errors: list[FieldError] = []
    if key == "":
        errors.append(invalid_value(f"{path}.capacityKey", "", "capacityKey must not be an empty string"))
    elif key is not None and key not in capacity:
        errors.append(value_not_found(f"{path}.capacityKey", key))
    if key is not None and times is None:
        why = "capacityMultiplier is required when capacityKey is set"
        errors.append(required(f"{path}.capacityMultiplier", why))
    elif key is not None and times is not None and parse_quantity(times) <= 0:
        errors.append(
            invalid_value(f"{path}.capacityMultiplier", canonical_quantity(times), "must be positive")
        )
    if each is not None and parse_quantity(each) <= 0:
        errors.append(invalid_value(f"{path}.deviceMultiplier", canonical_quantity(each), "must be positive"))
    if times is not None and key is None:
        why = "capacityKey is required when capacityMultiplier is set"
        errors.append(required(f"{path}.capacityKey", why))
    return errors


def _overhead_errors(overhead: Fields, path: str) -> list[FieldError]:
    names: Sequence[str] = [name for name in ("perPod", "perContainer") if overhead.get(name) is not None]
    if not names:
        return [invalid_value(path, "", "at least one of perPod or perContainer must be set")]
    return [
        invalid_value(f"{path}.{name}", canonical_quantity(overhead[name]), "must be non-negative")
        for name in names
        if parse_quantity(overhead[name]) < 0
    ]
