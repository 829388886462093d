"""DaemonSet in extensions/v1beta1: pods are replaced when somebody deletes them.

`templateGeneration` counts changes of the template; apps/v1 has it as an annotation.
"""

from __future__ import annotations

from wherry.api.apps.daemon_sets import DAEMON_SETS as MODERN
from wherry.api.apps.daemon_sets import TEMPLATE_GENERATION
from wherry.api.legacy.annotated_fields import moved, number_in
from wherry.api.legacy.lifecycles import EXTENSIONS_WORKLOAD
from wherry.api.legacy.template_labels import default_from_template
from wherry.api.versions import Differences, earlier
from wherry.objects.meta import Object, annotations_of

_API_VERSION = "extensions/v1beta1"


def default_daemon_set(daemon_set: Object) -> None:
    """The defaults of this version, in place."""
    default_from_template(daemon_set)
    strategy = daemon_set["spec"].setdefault("updateStrategy", {})
    if not strategy.get("type"):
        strategy["type"] = "OnDelete"


def to_apps_v1(daemon_set: Object) -> Object:
    """The apps/v1 form: the generation of the template goes into an annotation."""
    spec = dict(daemon_set.get("spec") or {})
    generation = spec.pop("templateGeneration", None)
    if generation is None:
        return {**daemon_set, "apiVersion": "apps/v1"}
    return moved(daemon_set, "apps/v1", spec, TEMPLATE_GENERATION, generation)


def from_apps_v1(daemon_set: Object) -> Object:
    """The form of this version. An annotation that is no number stays an annotation."""
    generation = number_in(annotations_of(daemon_set).get(TEMPLATE_GENERATION))
    if generation is None:
        return {**daemon_set, "apiVersion": _API_VERSION}
    spec = {**(daemon_set.get("spec") or {}), "templateGeneration": generation}
    return moved(daemon_set, _API_VERSION, spec, TEMPLATE_GENERATION, None)


DAEMON_SETS = earlier(
    MODERN,
    _API_VERSION,
    EXTENSIONS_WORKLOAD,
    schema="extensions.v1beta1",
    differences=Differences(
        to_present=to_apps_v1,
        from_present=from_apps_v1,
        defaults=default_daemon_set,
        selector_may_change=True,
        orphans_by_default=True,
    ),
)
