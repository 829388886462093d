"""Devices before resource.k8s.io/v1beta2: all but the name of one stood in `basic`."""

from __future__ import annotations

from collections.abc import Callable

from wherry.objects.meta import Object

PRESENT, EARLIER = "resource.k8s.io/v1", "resource.k8s.io/v1beta1"


def slice_to_v1(resource_slice: Object) -> Object:
    """A ResourceSlice as v1 has it."""
    return _converted(resource_slice, PRESENT, without_basic)


def slice_from_v1(resource_slice: Object) -> Object:
    """The way back."""
    return _converted(resource_slice, EARLIER, with_basic)


def without_basic(device: Object) -> Object:
    """A device with its facts beside its name."""
    kept = {name: value for name, value in device.items() if name != "basic"}
    return {**kept, **(device.get("basic") or {})}


def with_basic(device: Object) -> Object:
    """A device with its facts in `basic`, which is there even when there are none."""
    facts = {name: value for name, value in device.items() if name != "name"}
    kept = {"name": device["name"]} if "name" in device else {}
    return {**kept, "basic": facts}


def _converted(resource_slice: Object, api_version: str, convert: Callable[[Object], Object]) -> Object:
    made = {**resource_slice, "apiVersion": api_version}
    spec = resource_slice.get("spec")
    if spec and spec.get("devices"):
        made["spec"] = {**spec, "devices": [convert(device) for device in spec["devices"]]}
    return made
