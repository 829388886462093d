"""ControllerRevision in apps/v1beta2."""

from __future__ import annotations

from wherry.api.apps.controller_revisions import CONTROLLER_REVISIONS as MODERN
from wherry.api.legacy.lifecycles import APPS_V1BETA2
from wherry.api.versions import earlier

CONTROLLER_REVISIONS = earlier(
    MODERN,
    "apps/v1beta2",
    APPS_V1BETA2,
    schema="apps.v1beta2",
)
