"""ControllerRevision: a saved state of a DaemonSet or StatefulSet, to roll back to."""

from __future__ import annotations

from wherry.api.resource import Resource

CONTROLLER_REVISIONS = Resource(
    group="apps",
    version="v1",
    kind="ControllerRevision",
    plural="controllerrevisions",
    namespaced=True,
    schema="io.k8s.api.apps.v1.ControllerRevision",
)
