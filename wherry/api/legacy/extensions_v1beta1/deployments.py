"""Deployment in extensions/v1beta1: no deadline, all history, one pod at a time, and `rollbackTo`."""

from __future__ import annotations

from wherry.api.apps.deployments import DEPLOYMENTS as MODERN
from wherry.api.legacy.lifecycles import EXTENSIONS_WORKLOAD
from wherry.api.legacy.rollbacks import from_apps_v1, to_apps_v1
from wherry.api.legacy.template_labels import default_from_template
from wherry.api.resource import Subresource
from wherry.api.versions import Differences, earlier
from wherry.objects.meta import Object

UNLIMITED = 2147483647


def default_deployment(deployment: Object) -> None:
    """The defaults of this version, in place."""
    default_from_template(deployment)
    spec = deployment["spec"]
    strategy = spec.get("strategy")
    if strategy is None:
        strategy = spec["strategy"] = {}
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        parameters = strategy.get("rollingUpdate")
        if parameters is None:
            parameters = strategy["rollingUpdate"] = {}
        for name in ("maxUnavailable", "maxSurge"):
            if parameters.get(name) is None:
                parameters[name] = 1
    for name in ("progressDeadlineSeconds", "revisionHistoryLimit"):
        if spec.get(name) is None:
            spec[name] = UNLIMITED


DEPLOYMENTS = earlier(
    MODERN,
    "extensions/v1beta1",
    EXTENSIONS_WORKLOAD,
    schema="extensions.v1beta1",
    differences=Differences(
        to_present=to_apps_v1,
        from_present=from_apps_v1("extensions/v1beta1"),
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
