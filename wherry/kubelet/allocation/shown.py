"""The `resources` of a running container's status: what the runtime says it has, in the API's words. Pure.

Source: pkg/kubelet/kubelet_pods.go, convertContainerStatusResources. Where the figures say the same as what
was allocated, the text stays as the user wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from wherry.kubelet.cgroups import MIN_SHARES, cpu_quota_us, cpu_shares
from wherry.kubelet.runtimes.containers import Resources
from wherry.objects.quantity import canonical_quantity, format_quantity, milli, whole

_LEAST_QUOTA_US = 1000


def shown_resources(
    allocated: Mapping[str, Any], actual: Mapping[str, Any], told: Resources | None
) -> dict[str, Any]:
    """What to show of a container.

    `actual` is what it was last given, `told` what the runtime says, None where it says nothing.
    """
    if told is None:
        return dict(actual)
    requests = dict(allocated.get("requests") or {})
    limits = dict(allocated.get("limits") or {})
    _put(limits, "cpu", _cpu_limit(limits, told))
    _put(limits, "memory", _memory_limit(limits, told))
    _put(requests, "cpu", _cpu_request(requests, limits, told))
    _put(requests, "memory", (actual.get("requests") or {}).get("memory"))
    shown = {key: value for key, value in allocated.items() if key not in ("requests", "limits")}
    if limits:
        shown["limits"] = limits
    if requests:
        shown["requests"] = requests
    return shown


def _put(amounts: dict[str, Any], name: str, amount: Any) -> None:
    if amount is None:
        amounts.pop(name, None)
    else:
        amounts[name] = amount


def _cpu_limit(limits: Mapping[str, Any], told: Resources) -> Any:
    asked = limits.get("cpu")
    wanted = cpu_quota_us(milli(asked)) if asked is not None else 0
    if told.cpu_quota_us == wanted or max(told.cpu_quota_us, wanted) <= _LEAST_QUOTA_US:
        return asked
    if not told.cpu_quota_us:
        return None
    return canonical_quantity(f"{told.cpu_quota_us * 1000 // max(told.cpu_period_us, 1)}m")


def _memory_limit(limits: Mapping[str, Any], told: Resources) -> Any:
    asked = limits.get("memory")
    if told.memory_limit_bytes == (whole(asked) if asked is not None else 0):
        return asked
    return format_quantity(Decimal(told.memory_limit_bytes), "binary") if told.memory_limit_bytes else None


def _cpu_request(requests: Mapping[str, Any], limits: Mapping[str, Any], told: Resources) -> Any:
    asked = requests.get("cpu")
    wanted = cpu_shares(milli(asked if asked is not None else limits.get("cpu", "0")))
    if told.cpu_shares == wanted or max(told.cpu_shares, wanted) <= MIN_SHARES:
        return asked
    return canonical_quantity(f"{-(-told.cpu_shares * 1000 // 1024)}m")
