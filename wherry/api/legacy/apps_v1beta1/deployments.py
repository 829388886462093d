"""Deployment in apps/v1beta1: two old revisions are kept, and there is `rollbackTo`."""

from __future__ import annotations

from wherry.api.legacy.lifecycles import APPS_V1BETA1
from wherry.api.legacy.rollbacks import with_rollback
from wherry.api.legacy.template_labels import default_from_template
from wherry.objects.meta import Object

HISTORY_LIMIT = 2


def default_deployment(deployment: Object) -> None:
    """The defaults of this version, in place."""
    default_from_template(deployment)
    spec = deployment["spec"]
    if spec.get("revisionHistoryLimit") is None:
        spec["revisionHistoryLimit"] = HISTORY_LIMIT


DEPLOYMENTS = with_rollback("apps/v1beta1", APPS_V1BETA1, schema="apps.v1beta1", defaults=default_deployment)
