"""Event in the form of its own group; stored as the core Event."""

from __future__ import annotations

from wherry.api.resource import Resource

EVENTS = Resource(
    group="events.k8s.io",
    version="v1",
    kind="Event",
    plural="events",
    namespaced=True,
    short_names=("ev",),
    schema="io.k8s.api.events.v1.Event",
    storage_version=("", "v1"),
    ttl_s=3600,
)
