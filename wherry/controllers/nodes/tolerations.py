"""Tolerations as eviction needs them: for how long a taint is borne (`objects/taints` says whether)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wherry.objects.meta import later, parse_time
from wherry.objects.taints import tolerates

Taint = dict[str, Any]
Toleration = dict[str, Any]


def no_execute(taints: Sequence[Taint] | None) -> list[Taint]:
    """The taints that drive pods away."""
    return [taint for taint in taints or () if taint.get("effect") == "NoExecute"]


def _key(taint: Taint) -> tuple[str, str, str]:
    """The taint without the time it was set."""
    return taint["key"], taint.get("value") or "", taint["effect"]


def evict_at(
    taints: Sequence[Taint],
    tolerations: Sequence[Toleration],
    now: datetime,
    bound_at: datetime | None = None,
) -> datetime | None:
    """When a pod must go because of the NoExecute `taints`: None for never, `now` for at once.

    Each taint needs a toleration, and drives the pod away on its own: when the shortest tolerationSeconds of
    those that tolerate it are over, from when it was set (`timeAdded`, `now` if it does not say), or the
    pod came to the node (`bound_at`) if that was later. The first of them counts: a taint that comes later
    never puts off what another has begun.
    """
    due: list[datetime] = []
    for taint in taints:
        used = [toleration for toleration in tolerations if tolerates(toleration, _key(taint))]
        if not used:
            return now
        limits = [int(t["tolerationSeconds"]) for t in used if t.get("tolerationSeconds") is not None]
        if limits:
            added = parse_time(taint["timeAdded"]) if taint.get("timeAdded") else now
            since = max(added, bound_at) if bound_at is not None else added
            due.append(later(since, max(min(limits), 0)))
    return min(due, default=None)
