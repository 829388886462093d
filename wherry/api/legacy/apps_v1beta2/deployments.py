"""Deployment in apps/v1beta2."""

from __future__ import annotations

from wherry.api.apps.deployments import DEPLOYMENTS as MODERN
from wherry.api.legacy.lifecycles import APPS_V1BETA2
from wherry.api.resource import Subresource
from wherry.api.versions import Differences, earlier

DEPLOYMENTS = earlier(
    MODERN,
    "apps/v1beta2",
    APPS_V1BETA2,
    schema="apps.v1beta2",
    differences=Differences(orphans_by_default=True),
    subresources=(Subresource("scale", kind="Scale"), Subresource("status")),
)
