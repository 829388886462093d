"""EndpointSlices for Services without a selector, of the Endpoints somebody writes for them.

Who reads slices alone (the proxy, ingresses) sees these Services then, too. Source:
pkg/controller/endpointslicemirroring.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from wherry.api.core.endpoints import ENDPOINTS
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.client.cache import Cache
from wherry.client.events import WARNING
from wherry.controllers.base import Controller, Environment
from wherry.controllers.endpoints.mirrored import (
    MANAGER,
    MOST_PER_SUBSET,
    Mirrored,
    mirror,
    plan_mirror,
    should_mirror,
)
from wherry.controllers.endpoints.slice_writing import keys_of, write_slices
from wherry.objects.meta import Object, is_deleting, key_of

MIRRORED = "mirrored"


mirrored_service = partial(keys_of, manager=MANAGER)
"""The index of slices that mirror, by Endpoints."""


def endpoints_of_slice(_: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A slice that mirrors, or did, concerns its Endpoints."""
    return {key for piece in (old, new) if piece is not None for key in mirrored_service(piece)}


def endpoints_of_service(_: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A Service concerns its Endpoints when it comes, goes, or begins or ceases to select."""
    before, after = ("selector" in ((obj or {}).get("spec") or {}) for obj in (old, new))
    if old is None or new is None or before != after:
        yield key_of(new or old or {})


class EndpointSliceMirroring(Controller):
    """Keys are Endpoints'."""

    name = "endpointslice-mirroring"
    account = "endpointslicemirroring-controller"
    component = "endpoint-slice-mirroring-controller"
    primary = ENDPOINTS
    watches: ClassVar = {ENDPOINT_SLICES: endpoints_of_slice, SERVICES: endpoints_of_service}

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.cache.add_index(ENDPOINT_SLICES, MIRRORED, mirrored_service)

    async def sync(self, key: str) -> float | None:
        """Write what differs; what is not to be mirrored (any more) has no slices."""
        endpoints = self.cache.get(ENDPOINTS, key)
        existing = self.cache.by_index(ENDPOINT_SLICES, MIRRORED, key)
        if endpoints is None or not self._is_mirrored(key, endpoints):
            for piece in existing:
                await self.delete(key, ENDPOINT_SLICES, piece)
            return None
        if is_deleting(endpoints):
            return None
        mirrored = await mirror(endpoints)
        self._tell(endpoints, mirrored)
        plan = await plan_mirror(endpoints, mirrored, list(existing))
        await write_slices(self, key, endpoints, plan)
        return None

    def _is_mirrored(self, key: str, endpoints: Object) -> bool:
        service = self.cache.get(SERVICES, key)
        has_selector = service is None or (service.get("spec") or {}).get("selector") is not None
        return not has_selector and should_mirror(endpoints)

    def _tell(self, endpoints: Object, mirrored: Mirrored) -> None:
        if mirrored.invalid:
            message = f"Skipped {mirrored.invalid} invalid IP addresses when mirroring to EndpointSlices"
            self.events.event(endpoints, WARNING, "InvalidIPAddress", message)
        if mirrored.has_too_many:
            message = (
                f"A max of {MOST_PER_SUBSET} addresses can be mirrored to EndpointSlices per Endpoints "
                f"subset. {mirrored.skipped} addresses were skipped"
            )
            self.events.event(endpoints, WARNING, "TooManyAddressesToMirror", message)
