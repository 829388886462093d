"""Thousands of nodes and pods: what they cost, with room for a busy machine."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.apiserver.rig import account, running
from tests.hollow.rig import HOLLOW
from tests.timing import spent
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.hollow.hollow import HollowNodes
from wherry.hollow.machines import NodeTemplate
from wherry.hollow.rights import ensure_rights
from wherry.kit.clock import FakeClock, settle

pytestmark = pytest.mark.slow


async def test_a_minute_of_heartbeats_of_five_thousand_nodes() -> None:
    clock = FakeClock()
    template = NodeTemplate(count=5000, lease_s=40)
    async with running(clock) as api:
        await ensure_rights(api.admin)
        hollow = HollowNodes(api.client(HOLLOW), clock, Random(1), template)
        await hollow.start()
        while hollow.heartbeats.renewed < 5000:
            await settle()
        with spent() as took:
            for _ in range(60):
                await clock.advance(1)
                while not hollow.heartbeats.is_idle:
                    await settle()
        renewed = hollow.heartbeats.renewed - 5000
        await hollow.close()
    assert 29_000 <= renewed <= 31_000
    assert took.process_s / renewed < 0.001, "seconds of CPU per renewal, the API server's part included"


async def test_twenty_thousand_pods_are_made_running() -> None:
    clock = FakeClock()
    async with running(clock) as api:
        await ensure_rights(api.admin)
        await api.admin.create(SERVICE_ACCOUNTS, account())
        hollow = HollowNodes(api.client(HOLLOW), clock, Random(1), NodeTemplate(count=200))
        await hollow.start()
        numbers = iter(range(20_000))

        async def create() -> None:
            for number in numbers:
                meta = {"name": f"p{number}", "namespace": "default"}
                spec = {
                    "nodeName": f"hollow-{number % 200}",
                    "containers": [{"name": "web", "image": "nginx"}],
                }
                await api.admin.create(
                    PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
                )

        with spent() as took:
            await asyncio.gather(*(create() for _ in range(16)))
            while not hollow.is_idle:
                await settle()
        listing = await api.admin.list(PODS, "default", field_selector="status.phase=Running")
        await hollow.close()
    assert len(listing.items) == 20_000
    assert took.process_s / 20_000 < 0.005, "seconds of CPU per pod, with creation and the API server's part"
