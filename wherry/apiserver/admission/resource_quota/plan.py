"""The decision: which quotas a request counts against, what it adds, and whether there is room.

Pure: quotas go in, the same quotas with more in `status.used` come out, or a `Refusal`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from wherry.api.quota.amounts import (
    ZERO,
    Amounts,
    add,
    masked,
    read_amounts,
    show,
    spell_all,
    subtract,
    without_zeros,
)
from wherry.api.quota.evaluator import Evaluator
from wherry.api.quota.usage import is_in_scopes
from wherry.objects.meta import Object, name_of


class Refusal(Exception):
    """There is no room, or what is asked for cannot be told; the text is upstream's."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is about to be stored: `obj`, in place of `old` if there is one."""

    evaluator: Evaluator
    obj: Object
    old: Object | None
    now: datetime

    def added(self) -> Amounts:
        """What it uses more than before, without zeros. Raises Refusal when it asks for less than nothing."""
        used = self.evaluator.usage(self.obj, self.now)
        negative = sorted(name for name, amount in used.items() if amount < 0)
        if negative:
            raise Refusal(f"quota usage is negative for resource(s): {','.join(negative)}")
        if self.old is not None:
            used = subtract(used, self.evaluator.usage(self.old, self.now))
        return without_zeros(used)


def reserve(quotas: Sequence[Object], demand: Demand) -> list[Object]:
    """The quotas with what `demand` adds in their status; those it is not about stay the same objects.

    Raises Refusal when a quota has no room, or the demand does not say what a quota needs to know.
    """
    concerned = [quota for quota in quotas if _is_about(quota, demand)]
    if not concerned:
        return list(quotas)
    for quota in concerned:
        _check_countable(quota, demand)
    added = demand.added()
    if not added:
        return list(quotas)
    taken = {name_of(quota): _with_room_taken(quota, added) for quota in concerned}
    return [taken.get(name_of(quota), quota) for quota in quotas]


def taken_of(quota: Object, demand: Demand) -> Amounts:
    """What `reserve` has added to a quota for the demand."""
    return masked(demand.added(), _hard(quota))


def with_more(quota: Object, more: Mapping[str, Decimal]) -> Object:
    """The quota with `more` used (less where negative), never less than nothing."""
    status = quota.get("status") or {}
    used = read_amounts(status.get("used"))
    changed = {name: max(used[name] + amount, ZERO) for name, amount in more.items() if name in used}
    if not any(changed[name] != used[name] for name in changed):
        return quota
    texts = {**(status.get("used") or {}), **spell_all(changed, _hard(quota))}
    return {**quota, "status": {**status, "used": texts}}


def _hard(quota: Object) -> dict[str, str]:
    found: dict[str, str] = (quota.get("status") or {}).get("hard") or {}
    return found


def _is_about(quota: Object, demand: Demand) -> bool:
    evaluator = demand.evaluator
    return bool(evaluator.matching(_hard(quota))) and is_in_scopes(quota, evaluator, demand.obj)


def _check_countable(quota: Object, demand: Demand) -> None:
    names = demand.evaluator.matching(_hard(quota))
    problem = demand.evaluator.problem(demand.obj, names)
    if problem:
        raise Refusal(f"failed quota: {name_of(quota)}: {problem}")
    used = (quota.get("status") or {}).get("used") or {}
    if any(name not in used for name in names):
        raise Refusal(f"status unknown for quota: {name_of(quota)}, resources: {','.join(sorted(names))}")


def _with_room_taken(quota: Object, added: Amounts) -> Object:
    status = quota["status"]
    hard = _hard(quota)
    wanted = masked(added, hard)
    if not wanted:
        return quota
    used = read_amounts(status.get("used"))
    add(used, wanted)
    limits = read_amounts(hard)
    exceeded = [name for name in wanted if used[name] > limits[name]]
    if exceeded:
        requested = spell_all(masked(wanted, exceeded), hard)
        raise Refusal(
            f"exceeded quota: {name_of(quota)}, requested: {show(requested, exceeded)}, "
            f"used: {show(status.get('used') or {}, exceeded)}, limited: {show(hard, exceeded)}"
        )
    changed = {**(status.get("used") or {}), **spell_all(masked(used, wanted), hard)}
    return {**quota, "status": {**status, "used": changed}}
