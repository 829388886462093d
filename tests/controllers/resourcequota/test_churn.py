"""Quotas while pods come and go as fast as they can: the real API server and the real controller."""

from __future__ import annotations

import asyncio
from random import Random

from tests.apiserver import rig
from tests.timing import PATIENCE_S
from wherry.api.core.pods import PODS
from wherry.api.core.resource_quotas import RESOURCE_QUOTAS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.client.api import Client
from wherry.controllers.resourcequota.controller import ResourceQuotas
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

LIMIT = 8
WORKERS, PODS_EACH = 12, 4


async def used_pods(client: Client) -> str | None:
    quota = await client.get(RESOURCE_QUOTAS, "q", "default")
    found: str | None = ((quota.get("status") or {}).get("used") or {}).get("pods")
    return found


async def until_used(client: Client, expected: str) -> None:
    """Wait until the quota says `expected`. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE_S):
        while await used_pods(client) != expected:  # noqa: ASYNC110 - it looks as any client would
            await asyncio.sleep(0.01)


async def churn(client: Client, worker: int, rng: Random, seen: list[int]) -> None:
    """Create pods one after another, each gone soon, noting how many there are after each creation."""
    left = PODS_EACH
    while left:
        await asyncio.sleep(rng.random() / 100)
        name = f"p-{worker}-{left}"
        try:
            await client.create(PODS, rig.pod(name))
        except ApiError as error:
            if error.code != 403:
                raise
            continue
        seen.append(len((await client.list(PODS, "default")).items))
        await asyncio.sleep(rng.random() / 200)
        await client.delete(PODS, name, "default", grace_period_s=0)
        left -= 1


async def test_there_are_never_more_than_allowed_and_the_count_is_right_in_the_end() -> None:
    async with rig.running(kinds=[ResourceQuotas]) as found:
        client, rng = found.admin, Random(3)
        await client.create(SERVICE_ACCOUNTS, rig.account())
        quota: Object = {
            "metadata": {"name": "q", "namespace": "default"},
            "spec": {"hard": {"pods": str(LIMIT)}},
        }
        await client.create(RESOURCE_QUOTAS, quota)
        await until_used(client, "0")
        seen: list[int] = []
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*(churn(client, worker, rng, seen) for worker in range(WORKERS)))
        assert len(seen) == WORKERS * PODS_EACH
        assert max(seen) <= LIMIT
        await until_used(client, "0")
