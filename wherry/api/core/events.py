"""Event: something that happened to an object, kept for an hour."""

from __future__ import annotations

from wherry.api.resource import Resource

EVENTS = Resource(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    namespaced=True,
    short_names=("ev",),
    schema="io.k8s.api.core.v1.Event",
    ttl_s=3600,
)
