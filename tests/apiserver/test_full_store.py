"""A server whose store is full: what it refuses, and how it gets out of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apiserver.rig import ADMIN, account, api_server, config_map, pod
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.app import ApiServer
from wherry.client.api import Client
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError
from wherry.store.sqlite import SqliteStore

QUOTA = 4_000_000


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    clock = FakeClock()
    store = await SqliteStore.open(tmp_path / "store.db", clock, quota_bytes=QUOTA)
    server = api_server(store, clock)
    await server.start()
    yield server
    assert server.core.store_problem == "", "a full store is a healthy one"
    await server.close()
    await store.close()


@pytest.fixture
def client(server: ApiServer) -> Client:
    return Client(server.local_transport(ADMIN))


async def fill(client: Client) -> tuple[int, ApiError]:
    """How many could be created, and what the next one was told."""
    made = 0
    while True:
        try:
            await client.create(CONFIG_MAPS, config_map(f"c{made}", x="x" * 30_000))
        except ApiError as error:
            return made, error
        made += 1


async def test_a_full_store_is_emptied_through_the_api(server: ApiServer, client: Client) -> None:
    await client.create(SERVICE_ACCOUNTS, account())
    await client.create(PODS, pod("web", nodeName="n1"))
    held = config_map("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await client.create(CONFIG_MAPS, held)
    await client.create(NAMESPACES, {"metadata": {"name": "going"}})
    made, refused = await fill(client)
    assert refused.code == 507
    assert refused.message.startswith(
        "the write could not be stored: etcdserver: mvcc: database space exceeded"
    )
    assert made > 50
    assert server.core.store.is_full
    # Each of these writes something larger first: a deletionTimestamp.
    assert (await client.delete(PODS, "web", "default"))["metadata"]["deletionTimestamp"]
    await client.delete(CONFIG_MAPS, "held", "default")
    await client.delete(NAMESPACES, "going")
    await client.patch(CONFIG_MAPS, "held", "default", {"metadata": {"finalizers": None}})
    with pytest.raises(ApiError, match="not found"):
        await client.get(CONFIG_MAPS, "held", "default")
    await client.delete_collection(CONFIG_MAPS, "default")
    assert (await client.list(CONFIG_MAPS, "default")).items == []
    for number in range(20):
        await client.create(CONFIG_MAPS, config_map(f"again{number}", x="x" * 3000))
    assert not server.core.store.is_full
