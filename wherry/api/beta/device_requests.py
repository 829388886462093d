"""Requests for devices before resource.k8s.io/v1beta2: what is asked for stood beside the name.

Later it went into `exactly`, next to the alternatives of `firstAvailable`. All conversions return a
new object and share what stays the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wherry.objects.meta import Object

OF_THE_NAME = frozenset({"name", "firstAvailable"})
"""What a request keeps beside `exactly`."""

PRESENT, EARLIER = "resource.k8s.io/v1", "resource.k8s.io/v1beta1"

ConvertRequest = Callable[[Object], Object]


def claim_to_v1(claim: Object) -> Object:
    """A ResourceClaim as v1 has it."""
    return _with_spec(claim, PRESENT, lambda spec: _claim_spec(spec, with_exactly))


def claim_from_v1(claim: Object) -> Object:
    """The way back."""
    return _with_spec(claim, EARLIER, lambda spec: _claim_spec(spec, without_exactly))


def template_to_v1(template: Object) -> Object:
    """A ResourceClaimTemplate as v1 has it."""
    return _with_spec(template, PRESENT, lambda spec: _template_spec(spec, with_exactly))


def template_from_v1(template: Object) -> Object:
    """The way back."""
    return _with_spec(template, EARLIER, lambda spec: _template_spec(spec, without_exactly))


def with_exactly(request: Object) -> Object:
    """A request with its fields gathered in `exactly`; one that has none stays without."""
    asked = {name: value for name, value in request.items() if name not in OF_THE_NAME}
    kept = {name: value for name, value in request.items() if name in OF_THE_NAME}
    return {**kept, "exactly": asked} if any(value not in (None, "", 0) for value in asked.values()) else kept


def without_exactly(request: Object) -> Object:
    """A request with what `exactly` says beside its name."""
    kept = {name: value for name, value in request.items() if name != "exactly"}
    return {**kept, **(request.get("exactly") or {})}


def _with_spec(obj: Object, api_version: str, convert: Callable[[Object], Object]) -> Object:
    made = {**obj, "apiVersion": api_version}
    if isinstance(obj.get("spec"), dict):
        made["spec"] = convert(obj["spec"])
    return made


def _template_spec(spec: Object, convert: ConvertRequest) -> Object:
    inner = spec.get("spec")
    return {**spec, "spec": _claim_spec(inner, convert)} if inner else spec


def _claim_spec(spec: Object, convert: ConvertRequest) -> Object:
    devices: Any = spec.get("devices")
    if not devices or not devices.get("requests"):
        return spec
    return {**spec, "devices": {**devices, "requests": [convert(request) for request in devices["requests"]]}}
