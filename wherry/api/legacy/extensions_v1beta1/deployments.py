"""Deployment in extensions/v1beta1: no deadline, all history, one pod at a time, and `rollbackTo`."""

from __future__ import annotations

from wherry.api.apps.rolling_update import default_strategy
from wherry.api.legacy.lifecycles import EXTENSIONS_WORKLOAD
from wherry.api.legacy.rollbacks import with_rollback
from wherry.api.legacy.template_labels import default_from_template
from wherry.objects.meta import Object

UNLIMITED = 2147483647


def default_deployment(deployment: Object) -> None:
    """The defaults of this version, in place."""
    default_from_template(deployment)
    spec = deployment["spec"]
    default_strategy(spec, 1)
    for name in ("progressDeadlineSeconds", "revisionHistoryLimit"):
        if spec.get(name) is None:
            spec[name] = UNLIMITED


DEPLOYMENTS = with_rollback(
    "extensions/v1beta1", EXTENSIONS_WORKLOAD, schema="extensions.v1beta1", defaults=default_deployment
)
