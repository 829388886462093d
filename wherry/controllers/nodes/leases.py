"""Whether the leases this controller knows are those there are: a watch that stalls looks like dead nodes.

Before a node is given up on, its lease is read from the server itself. If it was renewed there, the watch is
behind, and nobody is given up on until it has caught up; nor is the server asked about each node meanwhile.
Source: pkg/controller/nodelifecycle, NodeControllerLeaseCircuitBreaker (KEP-5647).
"""

from __future__ import annotations

import logging

from wherry.api.coordination.leases import LEASES
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.leases import NODE_LEASE_NAMESPACE
from wherry.kit.integers import parse_unsigned
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, revision_of

log = logging.getLogger(__name__)


class NodeLeases:
    """The nodes' leases as the cache has them, held against the server's."""

    def __init__(self, client: Client, cache: Cache) -> None:
        self._client = client
        self._cache = cache
        self._awaited: int | None = None
        """The version the cache has to reach before it is believed again."""

    async def are_behind(self, node_name: str) -> bool:
        """Whether the node of that name, or another before it, lives as far as the server knows.

        Raises ApiError: a server that cannot be asked says nothing about nodes.
        """
        if self._awaited is not None:
            reached = parse_unsigned(self._cache.informer(LEASES).resource_version)
            if reached is None or reached < self._awaited:
                return True
            self._awaited = None
        known = self._cache.get(LEASES, f"{NODE_LEASE_NAMESPACE}/{node_name}")
        try:
            there = await self._client.get(LEASES, node_name, NODE_LEASE_NAMESPACE)
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        if renewed_at(there) == renewed_at(known):
            return False
        self._awaited = parse_unsigned(revision_of(there))
        log.warning("the watch of leases is behind: no node is given up on until it has caught up")
        return True


def renewed_at(lease: Object | None) -> object:
    """When the lease was renewed last, by its holder's clock."""
    return ((lease or {}).get("spec") or {}).get("renewTime")
