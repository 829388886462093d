"""A server's life in a process of its own: prints its memory fresh, and after churn of one `kind`.

python -m tests.apiserver.churning memory|sqlite namespaces|definitions
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tempfile
from functools import _lru_cache_wrapper
from pathlib import Path
from typing import Any

from tests.apiserver.customresources.samples import cron_tab, definition
from tests.apiserver.rig import ADMIN, account, api_server, config_map, pod
from tests.timing import PATIENCE_S
from wherry.api.apiextensions.custom_resource_definitions import CUSTOM_RESOURCE_DEFINITIONS
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.client.api import Client
from wherry.kit.clock import FakeClock
from wherry.kit.memory import EVERY_S, GivingBack, resident_bytes
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.store.base import TransactingStore
from wherry.store.memory import MemoryStore
from wherry.store.retention import Retention
from wherry.store.sqlite import SqliteStore

WAIT_S = {"sqlite": 60.0, "memory": 120.0}
"""How long after the churn is looked: the memory store's own history has to age first."""
NAMESPACES_AT_ONCE = 60
DEFINITIONS_AT_ONCE = 15
TURNS = 6
"""The first is without churn; the allocator's arenas take two or three with it to be as full as they get."""


async def namespaces(client: Client, clock: FakeClock, turn: int, count: int) -> None:
    """Namespaces with accounts, config maps, pods, and labels no two share, made and deleted."""
    for number in range(count):
        name = f"churn-{turn}-{number}"
        await client.create(NAMESPACES, {"metadata": {"name": name}})
        await client.create(SERVICE_ACCOUNTS, account(name))
        for index in range(10):
            await client.create(CONFIG_MAPS, config_map(f"{name}-{index}", name, x="y" * 2000))
            labels = {"metadata": {"labels": {f"l{turn}-{number}": f"v{index}"}}}
            await client.patch(CONFIG_MAPS, f"{name}-{index}", name, labels)
            await client.create(PODS, pod(f"{name}-{index}", name))
        await client.list(PODS, name, label_selector=f"a=b{number}")
        await client.delete_collection(CONFIG_MAPS, name)
        for index in range(10):
            await client.delete(PODS, f"{name}-{index}", name, grace_period_s=0)
        await client.delete(SERVICE_ACCOUNTS, "default", name)
        await client.delete(NAMESPACES, name)
        namespace = await client.get(NAMESPACES, name)
        namespace["spec"]["finalizers"] = []
        await client.transport.call("PUT", f"{NAMESPACES.path('', name)}/finalize", None, namespace)


async def definitions(client: Client, clock: FakeClock, turn: int, count: int) -> None:
    """Definitions with large schemas and rules, their objects and documents, made and deleted."""
    made = []
    for number in range(count):
        group = f"g{turn}-{number}.example.com"
        made.append(await _define(client, group))
        path = f"/apis/{group}/v1/namespaces/default/crontabs"
        await _until(client, clock, path)
        for index in range(5):
            obj = cron_tab(f"x{index}") | {"apiVersion": f"{group}/v1"}
            await client.transport.call("POST", path, None, obj)
        await client.transport.call("GET", f"/openapi/v3/apis/{group}/v1")
    await client.transport.call("GET", "/openapi/v2")
    for name in made:
        await client.delete(CUSTOM_RESOURCE_DEFINITIONS, name)
        await _until(client, clock, CUSTOM_RESOURCE_DEFINITIONS.path("", name), is_there=False)


async def _define(client: Client, group: str) -> str:
    crd = json.loads(json.dumps(definition()).replace("stable.example.com", group))
    for version in crd["spec"]["versions"]:
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        spec["properties"]["large"] = _schema(3)
    await client.create(CUSTOM_RESOURCE_DEFINITIONS, crd)
    return str(crd["metadata"]["name"])


def _schema(depth: int) -> Any:
    if not depth:
        return {"type": "string", "description": "d" * 80, "maxLength": 50}
    return {
        "type": "object",
        "description": "d" * 80,
        "properties": {f"f{number}": _schema(depth - 1) for number in range(9)},
        "x-kubernetes-validations": [{"rule": "true", "message": "never"}],
    }


async def _until(client: Client, clock: FakeClock, path: str, *, is_there: bool = True) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await client.transport.call("GET", path)
            except ApiError:
                if not is_there:
                    return
            else:
                if is_there:
                    return
            await asyncio.sleep(0.002)
            await clock.advance(0.1)  # what was in the way of a first try is not in that of the next


def kept_blocks() -> int:
    """In how many blocks of Python's allocator something is kept, but for what bounded caches remember."""
    for found in gc.get_objects():
        if isinstance(found, _lru_cache_wrapper) and (found.cache_parameters()["maxsize"] or 0) > 1:
            found.cache_clear()
    gc.collect()
    return sys.getallocatedblocks()


async def live(
    store: TransactingStore, clock: FakeClock, churn: Any, count: int, wait_s: float
) -> list[tuple[int, int]]:
    """Memory fresh (with everything imported that churn needs), then so long after each turn.

    Each time the resident bytes, and in how many blocks of Python's allocator something is kept: those are
    the same on every machine, where the first hang on which arenas the rest of them happen to lie in.
    """
    server = api_server(store, clock)
    await server.start()
    tasks = Tasks("memory")
    GivingBack(tasks, clock).start()
    client = Client(server.local_transport(ADMIN))
    await churn(client, clock, 0, 2)
    found = []
    for turn in range(1, TURNS + 1):
        if turn > 1:
            await churn(client, clock, turn, count)
        for _ in range(int(wait_s / EVERY_S)):
            await clock.advance(EVERY_S)
            if len(tasks):
                await asyncio.wait(tasks._tasks)
        resident = resident_bytes()
        found.append((resident, kept_blocks()))
    await tasks.close()
    await server.close()
    return found


async def main(backend: str, kind: str) -> None:
    """Print the figures as JSON."""
    clock = FakeClock()
    churn, count = {
        "namespaces": (namespaces, NAMESPACES_AT_ONCE),
        "definitions": (definitions, DEFINITIONS_AT_ONCE),
    }[kind]
    with tempfile.TemporaryDirectory() as folder:
        store: TransactingStore = (
            MemoryStore(clock, retention=Retention(age_s=30.0))  # its history is in memory too
            if backend == "memory"
            else await SqliteStore.open(Path(folder, "store.db"), clock)
        )
        sys.stdout.write(json.dumps(await live(store, clock, churn, count, WAIT_S[backend])) + "\n")
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
