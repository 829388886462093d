"""Deployment in apps/v1beta1: two old revisions are kept, and there is `rollbackTo`."""

from __future__ import annotations

from wherry.api.apps.deployments import DEPLOYMENTS as MODERN
from wherry.api.legacy.lifecycles import APPS_V1BETA1
from wherry.api.legacy.rollbacks import from_apps_v1, to_apps_v1
from wherry.api.legacy.template_labels import default_from_template
from wherry.api.resource import Subresource
from wherry.api.versions import Differences, earlier
from wherry.objects.meta import Object

HISTORY_LIMIT = 2


def default_deployment(deployment: Object) -> None:
    """The defaults of this version, in place."""
    default_from_template(deployment)
    spec = deployment["spec"]
    if spec.get("revisionHistoryLimit") is None:
        spec["revisionHistoryLimit"] = HISTORY_LIMIT


DEPLOYMENTS = earlier(
    MODERN,
    "apps/v1beta1",
    APPS_V1BETA1,
    schema="apps.v1beta1",
    differences=Differences(
        to_present=to_apps_v1,
        from_present=from_apps_v1("apps/v1beta1"),
        defaults=default_deployment,
        selector_may_change=True,
        orphans_by_default=True,
    ),
    subresources=(
        Subresource("rollback", verbs=("create",), kind="DeploymentRollback"),
        Subresource("scale", kind="Scale"),
        Subresource("status"),
    ),
)
