"""DaemonSet: one pod on each node."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

DAEMON_SETS = Resource(
    group="apps",
    version="v1",
    kind="DaemonSet",
    plural="daemonsets",
    namespaced=True,
    short_names=("ds",),
    categories=("all",),
    subresources=(Subresource("status"),),
    schema="io.k8s.api.apps.v1.DaemonSet",
)
