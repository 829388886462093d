"""StatefulSet in apps/v1beta1: pods are replaced when somebody deletes them."""

from __future__ import annotations

from wherry.api.apps.stateful_sets import STATEFUL_SETS as MODERN
from wherry.api.legacy.lifecycles import APPS_V1BETA1
from wherry.api.legacy.template_labels import default_from_template
from wherry.api.resource import Subresource
from wherry.api.versions import Differences, earlier
from wherry.objects.meta import Object


def default_stateful_set(stateful_set: Object) -> None:
    """The defaults of this version, in place."""
    default_from_template(stateful_set)
    strategy = stateful_set["spec"].setdefault("updateStrategy", {})
    if not strategy.get("type"):
        strategy["type"] = "OnDelete"


STATEFUL_SETS = earlier(
    MODERN,
    "apps/v1beta1",
    APPS_V1BETA1,
    schema="apps.v1beta1",
    differences=Differences(defaults=default_stateful_set, orphans_by_default=True),
    subresources=(Subresource("scale", kind="Scale"), Subresource("status")),
)
