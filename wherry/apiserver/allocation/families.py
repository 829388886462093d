"""Which IP families a Service is of: what it says, completed by what the cluster has.

Source: pkg/registry/core/service/storage/alloc.go, initIPFamilyFields.
"""

from __future__ import annotations

from collections.abc import Sequence

from wherry.apiserver.allocation.objects import HEADLESS, family_of
from wherry.objects.errors import FieldError, invalid_value
from wherry.objects.meta import Object

SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
_POLICY = "spec.ipFamilyPolicy"


def fill_families(spec: Object, before: Object | None, families: Sequence[str]) -> list[FieldError]:
    """Complete ipFamilyPolicy and ipFamilies of `spec`, whose cluster has `families`, its own one first.

    `before` is the stored spec. Given back is why that cannot be. A second address that is no longer wanted
    is dropped from clusterIPs.
    """
    if spec.get("type") == "ExternalName" or is_kept_preference(spec, before):
        return []
    is_free = spec.get("clusterIP") == HEADLESS and not spec.get("selector")
    if not spec.get("ipFamilyPolicy"):
        usual = REQUIRE if is_free else SINGLE
        spec["ipFamilyPolicy"] = (before or {}).get("ipFamilyPolicy") or usual
    policy = spec["ipFamilyPolicy"]
    errors = _narrow(spec, before) if before is not None else []
    errors += _too_many(spec) if policy == SINGLE else []
    errors += _infer(spec, families)
    if errors:
        return errors
    said = spec.get("ipFamilies") or []
    if not is_free:
        if policy == REQUIRE and len(families) < 2:
            why = "this cluster is not configured for dual-stack services"
            errors.append(invalid_value(_POLICY, policy, why))
        errors += [
            invalid_value(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
            for index, family in enumerate(said)
            if family not in families
        ]
        if errors:
            return errors
    said = list(said) or [families[0]]
    if policy != SINGLE and len(said) == 1 and (is_free or len(families) == 2):
        said.append("IPv6" if said[0] == "IPv4" else "IPv4")
    spec["ipFamilies"] = said
    return []


def is_kept_preference(spec: Object, before: Object | None) -> bool:
    """Whether a Service that prefers both families stays as it is: the cluster may have changed meanwhile."""
    if before is None or spec.get("type") == "ExternalName":
        return False
    same = ("type", "clusterIPs", "ipFamilies")
    return spec.get("ipFamilyPolicy") == PREFER and (
        before.get("ipFamilyPolicy") in (None, PREFER)
        and all((spec.get(field) or []) == (before.get(field) or []) for field in same)
    )


def _narrow(spec: Object, before: Object) -> list[FieldError]:
    """Drop the second family where one is wanted now, and say where it was dropped without saying so."""
    errors: list[FieldError] = []
    for field, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        now, was = spec.get(field) or [], before.get(field) or []
        if spec["ipFamilyPolicy"] == SINGLE:
            if now == was and len(now) > 1:
                spec[field] = now[:1]
        elif now and len(now) < len(was):
            why = f"must be 'SingleStack' to release the secondary {what}"
            errors.append(invalid_value(_POLICY, spec["ipFamilyPolicy"], why))
    return errors


def _too_many(spec: Object) -> list[FieldError]:
    why = "must be 'RequireDualStack' or 'PreferDualStack' when multiple"
    return [
        invalid_value(_POLICY, SINGLE, f"{why} {what} are specified")
        for field, what in (("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families"))
        if len(spec.get(field) or ()) == 2
    ]


def _infer(spec: Object, families: Sequence[str]) -> list[FieldError]:
    """Take the families from addresses that are given."""
    errors: list[FieldError] = []
    ips = spec.get("clusterIPs") or []
    for index, ip in enumerate(ips if ips != [HEADLESS] else ()):
        family = family_of(ip)
        if index < len(spec.get("ipFamilies") or ()):
            continue
        if family in families:
            spec["ipFamilies"] = [*(spec.get("ipFamilies") or ()), family]
        else:
            why = f"{family} is not configured on this cluster"
            errors.append(invalid_value(f"spec.clusterIPs[{index}]", ips, why))
    return errors
