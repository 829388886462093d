"""One step of a deployment: which replica sets to resize, and whether the new one may be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wherry.controllers.deployment.family import Family, Fence, is_recreate, replicas, reported
from wherry.controllers.deployment.revisions import (
    DESIRED,
    next_revision,
    replica_set_annotations,
    revision_number,
    scale_annotations,
)
from wherry.controllers.deployment.scaling import (
    Resize,
    grow_new,
    scale_in_proportion,
    shrink_old,
)
from wherry.objects.meta import Object, annotations_of


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now.

    `is_rollout` is False while paused or merely resized: then Progressing is left as it is.
    """

    resizes: list[Resize] = field(default_factory=list)
    is_rollout: bool = True


def needs_new(deployment: Object, family: Family, has_old_pods: bool) -> bool:
    """Whether the replica set of the present template is missing and may be made now."""
    if family.new is not None or deployment["spec"].get("paused") or is_resized(deployment, family):
        return False
    if is_recreate(deployment):
        return not family.active_old and not has_old_pods
    return True


def is_resized(deployment: Object, family: Family) -> bool:
    """Whether the wanted size changed since the replica sets were last scaled."""
    wanted = str(replicas(deployment))
    return any(annotations_of(rs).get(DESIRED, wanted) != wanted for rs in family.all if replicas(rs) > 0)


def plan_step(deployment: Object, family: Family, fence: Fence, has_old_pods: bool) -> Step:
    """The next sizes. `has_old_pods`: pods of old templates still run (matters to Recreate)."""
    recreate = is_recreate(deployment)
    if deployment["spec"].get("paused") or is_resized(deployment, family):
        return Step(scale_in_proportion(deployment, family, fence, recreate), is_rollout=False)
    if not recreate:
        return Step(grow_new(deployment, family, fence) or shrink_old(deployment, family, fence))
    if family.active_old:
        return Step([Resize(rs, 0) for rs in family.active_old])
    if family.new is not None and not has_old_pods and replicas(family.new) != replicas(deployment):
        return Step([Resize(family.new, replicas(deployment))])
    return Step()


def new_annotations(deployment: Object, family: Family, fence: Fence) -> dict[str, str]:
    """The annotations the new replica set is to have."""
    revision = next_revision(family.old)
    if family.new is not None:
        return replica_set_annotations(deployment, annotations_of(family.new), revision)
    wanted = replicas(deployment)
    return replica_set_annotations(deployment, {}, revision) | scale_annotations(wanted, wanted + fence.surge)


def changed(wanted: Mapping[str, str], current: Mapping[str, str]) -> dict[str, str]:
    """The entries of `wanted` that `current` lacks or has otherwise."""
    return {key: value for key, value in wanted.items() if current.get(key) != value}


def by_revision(family: Family) -> list[Object]:
    """The old replica sets, oldest revision first."""
    return sorted(family.old, key=revision_number)


def are_old_counted(family: Family) -> bool:
    """Whether old replica sets still report pods."""
    return reported(family.old, "replicas") > 0
