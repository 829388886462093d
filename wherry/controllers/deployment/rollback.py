"""Going back to an earlier revision, as the old API's `rollbackTo` orders it.

The order is an annotation of the deployment. Whatever comes of it, it is taken away, so that it is
carried out once. (`kubectl rollout undo` does not order: it writes the earlier template itself.)
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from wherry.client.events import NORMAL, WARNING
from wherry.controllers.deployment.revisions import NOT_COPIED, revision_number
from wherry.controllers.hashing import HASH_LABEL, same_template
from wherry.kit.integers import parse_integer
from wherry.objects.meta import Object, annotations_of, name_of

ROLLBACK_TO = "deprecated.deployment.rollback.to"
NOT_FOUND, UNCHANGED, DONE = (
    "DeploymentRollbackRevisionNotFound",
    "DeploymentRollbackTemplateUnchanged",
    "DeploymentRollback",
)


@dataclass(frozen=True, slots=True)
class Rollback:
    """The deployment as it is to be written, without the order, and the event that tells about it."""

    deployment: Object
    event_type: str
    reason: str
    message: str


def ordered_revision(deployment: Object) -> int | None:
    """The revision to go back to, 0 for the one before the present; None without an order."""
    text = annotations_of(deployment).get(ROLLBACK_TO)
    return None if text is None else parse_integer(text)


def plan_rollback(deployment: Object, replica_sets: Sequence[Object], revision: int) -> Rollback:
    """What carrying out the order comes to."""
    settled = copy.deepcopy(deployment)
    del settled["metadata"]["annotations"][ROLLBACK_TO]
    if revision == 0:
        revision = _last_revision(replica_sets)
        if revision == 0:
            return Rollback(settled, WARNING, NOT_FOUND, "Unable to find last revision.")
    found = next((rs for rs in replica_sets if revision_number(rs) == revision), None)
    if found is None:
        return Rollback(settled, WARNING, NOT_FOUND, "Unable to find the revision to rollback to.")
    name, template = name_of(deployment), found["spec"]["template"]
    if same_template(template, deployment["spec"]["template"]):
        message = f'The rollback revision contains the same template as current deployment "{name}"'
        return Rollback(settled, WARNING, UNCHANGED, message)
    settled["spec"]["template"] = _without_hash(template)
    settled["metadata"]["annotations"] = _annotations(settled, found)
    message = f'Rolled back deployment "{name}" to revision {revision}'
    return Rollback(settled, NORMAL, DONE, message)


def _last_revision(replica_sets: Sequence[Object]) -> int:
    """The revision before the present one, 0 when there is none."""
    numbers = sorted({revision_number(rs) for rs in replica_sets}, reverse=True)
    return numbers[1] if len(numbers) > 1 else 0


def _without_hash(template: Object) -> Object:
    made: Object = copy.deepcopy(template)
    labels = (made.get("metadata") or {}).get("labels") or {}
    labels.pop(HASH_LABEL, None)
    return made


def _annotations(deployment: Object, rs: Object) -> dict[str, str]:
    """The deployment's bookkeeping with everything else as it was at the time of the replica set."""
    kept = {key: value for key, value in annotations_of(deployment).items() if key in NOT_COPIED}
    return kept | {key: value for key, value in annotations_of(rs).items() if key not in NOT_COPIED}
