"""ResourceSlice: some of the devices of a pool. Whose they are never changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.core.pod_spec.affinity import validate_node_selector
from wherry.api.dynamicresources.devices import counters_errors, device_errors, node_name_errors
from wherry.api.dynamicresources.names import (
    driver_errors,
    fully_qualified_errors,
    pool_errors,
    required_label_errors,
)
from wherry.api.dynamicresources.operations import skipped_errors
from wherry.api.dynamicresources.taints import date_taint
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation.collections import validate_set
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.resource.v1.ResourceSlice"


DEVICES_LIMIT = 128
DEVICES_LIMIT_ADVANCED = 64
COUNTER_SETS_LIMIT = 8
_ONE_PLACE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_NO_PARTITION = (
    "device consumes counters and `partitionTypeAttribute` names this attribute, so it must be set"
)
_LISTS = ("bools", "ints", "strings", "versions")


def _prepare(new: Object, old: Object | None) -> None:
    before = _devices_by_name((old or {}).get("spec") or {})
    now = (new.get("metadata") or {}).get("creationTimestamp") or ""
    for device in (new.get("spec") or {}).get("devices") or ():
        known = {_taint_key(taint): taint for taint in before.get(device.get("name"), {}).get("taints") or ()}
        for taint in device.get("taints") or ():
            date_taint(taint, known.get(_taint_key(taint)), now)


def _taint_key(taint: Mapping[str, Any]) -> tuple[Any, Any]:
    return taint.get("key"), taint.get("effect")


def _devices_by_name(spec: Mapping[str, Any]) -> dict[Any, Mapping[str, Any]]:
    return {device.get("name"): device for device in spec.get("devices") or ()}


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    before = _devices_by_name((old or {}).get("spec") or {})
    errors = driver_errors(spec.get("driver"), "spec.driver")
    errors += _pool_errors(spec.get("pool") or {})
    errors += _place_errors(spec)
    if spec.get("sharedCounters") is not None and spec.get("devices") is not None:
        errors.append(invalid_value("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    places = bool(spec.get("perDeviceNodeSelection"))
    errors += validate_set(
        spec.get("devices"),
        "spec.devices",
        lambda device, at: device_errors(device, before.get(device.get("name")), at, places_itself=places),
        lambda device: device.get("name") or "",
        DEVICES_LIMIT_ADVANCED if _is_advanced(spec) else DEVICES_LIMIT,
    )
    errors += validate_set(
        spec.get("sharedCounters"),
        "spec.sharedCounters",
        _counter_set_errors,
        lambda counters: counters.get("name") or "",
        COUNTER_SETS_LIMIT,
    )
    if (partition := spec.get("partitionTypeAttribute")) is not None:
        errors += _partition_errors(spec, partition)
    return errors + skipped_errors(spec.get("skipNodeOperations"), "spec.skipNodeOperations")


def _pool_errors(pool: Mapping[str, Any]) -> list[FieldError]:
    errors = pool_errors(pool.get("name"), "spec.pool.name")
    if (count := pool.get("resourceSliceCount") or 0) <= 0:
        errors.append(invalid_value("spec.pool.resourceSliceCount", count, "must be greater than zero"))
    if (generation := pool.get("generation") or 0) < 0:
        why = "must be greater than or equal to zero"
        errors.append(invalid_value("spec.pool.generation", generation, why))
    return errors


def _place_errors(spec: Mapping[str, Any]) -> list[FieldError]:
    """Where the devices can be used is told in one way."""
    errors: list[FieldError] = []
    given: list[str] = []
    if name := spec.get("nodeName"):
        given.append("`nodeName`")
        errors += node_name_errors(name, "spec.nodeName")
    elif name is not None:
        why = "must be either unset or set to a non-empty string"
        errors.append(invalid_value("spec.nodeName", name, why))
    if (selector := spec.get("nodeSelector")) is not None:
        given.append("`nodeSelector`")
        validate_node_selector(selector, "spec.nodeSelector", errors)
        terms = selector.get("nodeSelectorTerms") or []
        if len(terms) != 1:
            why = "must have exactly one node selector term"
            errors.append(invalid_value("spec.nodeSelector.nodeSelectorTerms", terms, why))
    for flag in ("allNodes", "perDeviceNodeSelection"):
        if spec.get(flag):
            given.append(f"`{flag}`")
        elif spec.get(flag) is not None:
            errors.append(invalid_value(f"spec.{flag}", False, "must be either unset or set to true"))
    if not given:
        errors.append(required("spec", _ONE_PLACE))
    elif len(given) > 1:
        why = f"{_ONE_PLACE}, but multiple fields are set"
        errors.append(invalid_value("spec", f"{{{', '.join(given)}}}", why))
    return errors


def _is_advanced(spec: Mapping[str, Any]) -> bool:
    """Whether the devices need so much thought that there may be only half of them."""
    return any(
        device.get("taints")
        or device.get("consumesCounters")
        or any(
            attribute.get(name) is not None
            for attribute in (device.get("attributes") or {}).values()
            for name in _LISTS
        )
        for device in spec.get("devices") or ()
    )


def _counter_set_errors(counters: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = required_label_errors(counters.get("name"), f"{path}.name")
    return errors + counters_errors(counters.get("counters"), f"{path}.counters")


def _partition_errors(spec: Mapping[str, Any], name: str) -> list[FieldError]:
    """The attribute that tells kinds of partitions apart is a text every one of them has."""
    path = "spec.partitionTypeAttribute"
    consuming = {
        index: device
        for index, device in enumerate(spec.get("devices") or ())
        if device.get("consumesCounters")
    }
    if not consuming:
        why = "may only be set on a slice which declares devices that consume counters"
        return [invalid_value(path, name, why)]
    if errors := fully_qualified_errors(name, path):
        return errors
    bare = name.removeprefix(f"{spec.get('driver')}/")
    for index, device in consuming.items():
        attributes, at = device.get("attributes") or {}, f"spec.devices[{index}].attributes[{name}]"
        attribute = attributes.get(name) or attributes.get(bare)
        if attribute is None:
            errors.append(required(at, _NO_PARTITION))
        elif attribute.get("string") is None:
            why = "must be a string value because `partitionTypeAttribute` names this attribute"
            errors.append(invalid_value(at, attribute, why))
    return errors


def _node(obj: Object) -> str:
    found: str = (obj.get("spec") or {}).get("nodeName") or ""
    return found


def _driver(obj: Object) -> str:
    found: str = (obj.get("spec") or {}).get("driver") or ""
    return found


def _row(obj: Object, now: datetime) -> list[Any]:
    pool = (obj.get("spec") or {}).get("pool") or {}
    return [name_of(obj), _node(obj) or "<unset>", _driver(obj), pool.get("name") or "", age_of(obj, now)]


RESOURCE_SLICES = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceSlice",
    plural="resourceslices",
    namespaced=False,
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=False,
        tracks_generation=True,
        immutable=("spec.driver", "spec.nodeName", "spec.pool.name"),
        prepares=_prepare,
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Node", description="The node the devices are on."),
        Column("Driver", description="The driver of the devices."),
        Column("Pool", description="The pool the devices belong to."),
        AGE,
    ),
    selectable={"spec.nodeName": _node, "spec.driver": _driver},
    schema=_SCHEMA,
)
