"""ReplicaSet in extensions/v1beta1: what it selects may be left to the template."""

from __future__ import annotations

from wherry.api.apps.replica_sets import REPLICA_SETS as MODERN
from wherry.api.legacy.lifecycles import EXTENSIONS_WORKLOAD
from wherry.api.legacy.template_labels import default_from_template
from wherry.api.resource import Subresource
from wherry.api.versions import Differences, earlier

REPLICA_SETS = earlier(
    MODERN,
    "extensions/v1beta1",
    EXTENSIONS_WORKLOAD,
    schema="extensions.v1beta1",
    differences=Differences(
        defaults=default_from_template, selector_may_change=True, orphans_by_default=True
    ),
    subresources=(Subresource("scale", kind="Scale"), Subresource("status")),
)
