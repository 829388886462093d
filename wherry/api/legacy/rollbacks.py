"""The first Deployments, with `spec.rollbackTo`: an order to go back to an earlier revision.

In apps/v1 it is an annotation; the deployment controller carries it out and takes it away.
"""

from __future__ import annotations

from collections.abc import Callable

from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.legacy.annotated_fields import ROLLBACK_TO, moved, number_in
from wherry.api.lifecycle import Lifecycle
from wherry.api.resource import Resource, Subresource
from wherry.api.versions import Differences, earlier
from wherry.objects.meta import Object, annotations_of


def to_apps_v1(deployment: Object) -> Object:
    """The apps/v1 form: the order goes into the annotation."""
    spec = dict(deployment.get("spec") or {})
    order = spec.pop("rollbackTo", None)
    if order is None:
        return {**deployment, "apiVersion": "apps/v1"}
    return moved(deployment, "apps/v1", spec, ROLLBACK_TO, order.get("revision") or 0)


def from_apps_v1(api_version: str) -> Callable[[Object], Object]:
    """The way back to `api_version`. An annotation that is no number stays an annotation."""

    def convert(deployment: Object) -> Object:
        revision = number_in(annotations_of(deployment).get(ROLLBACK_TO))
        if revision is None:
            return {**deployment, "apiVersion": api_version}
        order = {"revision": revision} if revision else {}
        spec = {**(deployment.get("spec") or {}), "rollbackTo": order}
        return moved(deployment, api_version, spec, ROLLBACK_TO, None)

    return convert


def with_rollback(
    api_version: str, lifecycle: Lifecycle, *, schema: str, defaults: Callable[[Object], None]
) -> Resource:
    """Deployment in one of its first versions, which differ in their defaults alone; see `earlier`."""
    return earlier(
        DEPLOYMENTS,
        api_version,
        lifecycle,
        schema=schema,
        differences=Differences(
            to_present=to_apps_v1,
            from_present=from_apps_v1(api_version),
            defaults=defaults,
            selector_may_change=True,
            orphans_by_default=True,
        ),
        subresources=(
            Subresource("rollback", verbs=("create",), kind="DeploymentRollback"),
            Subresource("scale", kind="Scale"),
            Subresource("status"),
        ),
    )
