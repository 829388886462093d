"""How big each replica set should be next: rolling, recreating, and scaling in proportion.

Each function looks at a `Family` and returns the sizes to change, none when nothing is to be done
now. A rollout takes many small steps; what happens in between (pods becoming available) calls the
controller again.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from wherry.controllers.deployment.family import Family, Fence, age_order, replicas, reported, total
from wherry.controllers.deployment.revisions import DESIRED, MAX_REPLICAS
from wherry.kit.integers import parse_unsigned
from wherry.objects.meta import Object, annotations_of, is_deleting, metadata


@dataclass(frozen=True, slots=True)
class Resize:
    """Give `replica_set` the size `size`."""

    replica_set: Object
    size: int


def new_size(deployment: Object, family: Family, fence: Fence, recreate: bool) -> int:
    """How big the new replica set may be now, given what the old ones still occupy."""
    wanted = replicas(deployment)
    current = replicas(family.new) if family.new is not None else 0
    if recreate:
        return wanted
    room = wanted + fence.surge - total(family.all)
    if room <= 0:
        return current
    return current + min(room, wanted - current)


def grow_new(deployment: Object, family: Family, fence: Fence) -> list[Resize]:
    """Bring the new replica set to what it may be; shrink it if it is larger than wanted."""
    new, wanted = family.new, replicas(deployment)
    if new is None or replicas(new) == wanted:
        return []
    size = wanted if replicas(new) > wanted else new_size(deployment, family, fence, recreate=False)
    return [Resize(new, size)] if size != replicas(new) else []


def shrink_old(deployment: Object, family: Family, fence: Fence) -> list[Resize]:
    """Take pods from old replica sets, those that are not available first.

    As many may go as leaves the wanted number, less the tolerated shortage, available; pods the new
    replica set does not have available yet count as missing.
    """
    old, new = family.active_old, family.new
    if not old or new is None:
        return []
    least = replicas(deployment) - fence.unavailable
    missing = replicas(new) - _staying(new)
    budget = total(family.all) - least - missing
    if budget <= 0:
        return []
    sizes = [replicas(rs) for rs in old]
    for index, rs in enumerate(old):
        cut = min(budget, sizes[index] - _staying(rs))
        sizes[index] -= cut
        budget -= cut
    spare = min(sum(_staying(rs) for rs in family.all) - least, budget)
    for index, size in enumerate(sizes):
        cut = min(size, max(spare, 0))
        sizes[index] -= cut
        spare -= cut
    return [Resize(rs, size) for rs, size in zip(old, sizes, strict=True) if size != replicas(rs)]


def _staying(rs: Object) -> int:
    """The available pods that will stay: a replica set that was just shrunk still reports more."""
    return min(reported([rs], "availableReplicas"), replicas(rs))


def scale_in_proportion(deployment: Object, family: Family, fence: Fence, recreate: bool) -> list[Resize]:
    """Spread a change of the deployment's size over its replica sets, without rolling.

    One active replica set takes it all; with several, each takes a share by its size, and the
    largest what rounding leaves over.
    """
    only = _active_or_latest(family)
    if only is not None:
        return [Resize(only, replicas(deployment))]
    if _is_saturated(deployment, family.new):
        return [Resize(rs, 0) for rs in family.active_old]
    if recreate:
        return []
    return _shares(deployment, [rs for rs in family.all if replicas(rs) > 0], fence)


def _active_or_latest(family: Family) -> Object | None:
    active = [rs for rs in family.all if replicas(rs) > 0]
    if len(active) == 1:
        return active[0]
    if active:
        return None
    if family.new is not None:
        return family.new
    return max(family.old, key=age_order, default=None)


def _is_saturated(deployment: Object, new: Object | None) -> bool:
    """Whether the new replica set has all the pods that are wanted, available."""
    if new is None:
        return False
    wanted = replicas(deployment)
    return (
        annotations_of(new).get(DESIRED) == str(wanted)
        and replicas(new) == wanted
        and reported([new], "availableReplicas") == wanted
    )


def _shares(deployment: Object, active: list[Object], fence: Fence) -> list[Resize]:
    wanted = replicas(deployment)
    allowed = wanted + fence.surge if wanted > 0 else 0
    to_add = allowed - total(active)
    # Growing favours the newest among equals, shrinking takes from the oldest first.
    ordered = sorted(active, key=age_order, reverse=to_add > 0)
    ordered.sort(key=replicas, reverse=True)
    sizes, added = [], 0
    for rs in ordered:
        share = _share(rs, deployment, allowed, to_add, added)
        sizes.append(replicas(rs) + share)
        added += share
    if sizes and to_add:
        sizes[0] = max(sizes[0] + to_add - added, 0)
    return [Resize(rs, size) for rs, size in zip(ordered, sizes, strict=True)]


def _share(rs: Object, deployment: Object, allowed: int, to_add: int, added: int) -> int:
    if to_add == 0 or to_add == added:
        return 0
    size, left = replicas(rs), to_add - added
    if replicas(deployment) == 0:
        fraction = -size
    else:
        noted = annotations_of(rs).get(MAX_REPLICAS, "")
        before = parse_unsigned(noted, 31) or reported([deployment], "replicas")
        fraction = floor(size * allowed / before + 0.5) - size if before else 0
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def surplus_history(deployment: Object, order: list[Object]) -> list[Object]:
    """The old replica sets beyond the history limit, from the front of `order` (oldest revision first).

    One that still has or wants pods, or whose status lags, stays even when it is one too many.
    """
    limit = deployment["spec"].get("revisionHistoryLimit")
    if limit is None:
        return []
    alive = [rs for rs in order if not is_deleting(rs)]
    beyond = alive[: max(len(alive) - int(limit), 0)]
    return [rs for rs in beyond if _is_idle(rs)]


def _is_idle(rs: Object) -> bool:
    status = rs.get("status") or {}
    return (
        not status.get("replicas")
        and replicas(rs) == 0
        and int(metadata(rs).get("generation") or 0) <= int(status.get("observedGeneration") or 0)
    )
