"""Revisions of a deployment, kept in annotations of its replica sets.

Each template rolled out gets the next number. Rolling back gives an old replica set a new number;
the numbers it had stay in its history annotation, so `kubectl rollout history` can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wherry.kit.integers import parse_integer
from wherry.objects.meta import Object, annotations_of

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOT_COPIED = frozenset(
    {LAST_APPLIED, REVISION, HISTORY, DESIRED, MAX_REPLICAS, "deprecated.deployment.rollback.to"}
)
HISTORY_LIMIT = 2000


def revision_number(obj: Object) -> int:
    """The revision annotation as a number, 0 when absent or not a number."""
    return parse_integer(annotations_of(obj).get(REVISION, "")) or 0


def next_revision(old_replica_sets: Iterable[Object]) -> int:
    """One more than the highest revision among the old replica sets."""
    return max((revision_number(rs) for rs in old_replica_sets), default=0) + 1


def scale_annotations(desired: int, max_replicas: int) -> dict[str, str]:
    """What a replica set remembers of the deployment's size when it was last scaled."""
    return {DESIRED: str(desired), MAX_REPLICAS: str(max_replicas)}


def replica_set_annotations(deployment: Object, current: Mapping[str, str], revision: int) -> dict[str, str]:
    """The annotations of the replica set of the deployment's template.

    `current` are those it has. The deployment's own are copied, except bookkeeping; the revision
    only ever rises, and the one it replaces goes into the history.
    """
    copied = {k: v for k, v in annotations_of(deployment).items() if k not in NOT_COPIED}
    result = {**current, **copied}
    old = current.get(REVISION, "")
    if (parse_integer(old) or 0) < revision:
        result[REVISION] = str(revision)
        if old:
            result[HISTORY] = _append(current.get(HISTORY, ""), old)
    return result


def _append(history: str, revision: str) -> str:
    entries = [entry for entry in history.split(",") if entry]
    if revision in entries:
        return history
    entries.append(revision)
    while len(",".join(entries)) > HISTORY_LIMIT:
        entries.pop(0)
    return ",".join(entries)
