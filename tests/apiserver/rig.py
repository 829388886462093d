"""A real API server over a memory store, on a free port, for component tests; its controllers too, if wanted.

`wherry.cluster.assembly` puts it together.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from wherry.api.resource import Resource
from wherry.apiserver.app import ApiServer
from wherry.apiserver.config import ApiServerConfig
from wherry.apiserver.user import User
from wherry.client.api import Client
from wherry.cluster.assembly import ControlPlane, ControlPlaneConfig
from wherry.cluster.identities import FRONT_PROXY_AUTHORITY
from wherry.cluster.leaves import KeyPair, Subject
from wherry.cluster.pki import Pki
from wherry.controllers.base import Controller
from wherry.controllers.config import ControllerConfig
from wherry.kit.clock import Clock, FakeClock, SystemClock
from wherry.objects.meta import Object
from wherry.store.base import TransactingStore
from wherry.store.memory import MemoryStore
from wherry.testing import keys

ADMIN = User("admin", ("system:masters", "system:authenticated"))
ALICE = User("alice", ("system:authenticated",))
SHAPES_FIRST_START = {"advertise_address", "advertise_port", "port", "runtime_config", "service_cidr"}
"""What the objects of a server's first start depend on."""
TOKENS = {"admin-token": ADMIN, "alice-token": ALICE}


@dataclass(frozen=True)
class Files:
    """Keys and certificates, made once for all tests."""

    authority: KeyPair
    server: KeyPair
    admin: KeyPair
    kubelet_client: KeyPair
    front_proxy_authority: KeyPair
    front_proxy_client: KeyPair
    tokens_key: Path


@lru_cache(None)
def files() -> Files:
    """The certificates of the tests' clusters."""
    pki = Pki(keys.scratch() / "pki", datetime.now(UTC))  # gone with the process, whatever ends it
    return Files(
        pki.authority,
        pki.leaf("server", Subject(common_name="kube-apiserver", hosts=("127.0.0.1", "localhost"))),
        pki.leaf("admin", Subject(common_name="kubernetes-admin", organizations=("system:masters",))),
        pki.leaf("kubelet-client", Subject(common_name="kubelet-client")),
        pki.authority_called(FRONT_PROXY_AUTHORITY),
        pki.leaf("front-proxy-client", Subject(common_name="front-proxy", authority=FRONT_PROXY_AUTHORITY)),
        pki.signing_key("sa"),
    )


def config(**changes: Any) -> ApiServerConfig:
    """The configuration of a test server."""
    found = files()
    values: dict[str, Any] = {
        "port": 0,
        "tls_cert_file": found.server.cert,
        "tls_key_file": found.server.key,
        "client_ca_file": found.authority.cert,
        "service_account_key_file": found.tokens_key,
        "kubelet_client_cert_file": found.kubelet_client.cert,
        "kubelet_client_key_file": found.kubelet_client.key,
        "proxy_client_cert_file": found.front_proxy_client.cert,
        "proxy_client_key_file": found.front_proxy_client.key,
        "requestheader_client_ca_file": found.front_proxy_authority.cert,
        "advertise_address": "10.0.0.1",
        "tokens": TOKENS,
    }
    return ApiServerConfig(**{**values, **changes})


@lru_cache(None)
def trust() -> ssl.SSLContext:
    """How clients know the tests' servers."""
    return ssl.create_default_context(cafile=str(files().authority.cert))


def plane(
    store: TransactingStore,
    clock: Clock,
    seed: int = 1,
    kinds: Sequence[type[Controller]] = (),
    controllers: ControllerConfig | None = None,
    **changes: Any,
) -> ControlPlane:
    """A control plane without a scheduler, with the controllers of `kinds`; nothing of it has started."""
    told = ControlPlaneConfig(
        api=config(**changes),
        controllers=controllers or ControllerConfig(),
        kinds=kinds,
        has_scheduler=False,
    )
    return ControlPlane(told, store, clock, random.Random(seed))


def api_server(store: TransactingStore, clock: Clock, seed: int = 1, **changes: Any) -> ApiServer:
    """An API server over `store`, for tests that start and end it themselves."""
    return plane(store, clock, seed, **changes).api


@dataclass
class Rig:
    """A running server with clients."""

    plane: ControlPlane
    store: MemoryStore
    admin: Client
    session: aiohttp.ClientSession

    @property
    def server(self) -> ApiServer:
        return self.plane.api

    def client(self, user: User) -> Client:
        """A local client as `user`."""
        return Client(self.server.local_transport(user))

    async def store_past_rules(self, resource: Resource, obj: Object) -> None:
        """Put an object into the store as it is, as an older server or somebody's editor may have left it."""
        meta = obj["metadata"]
        given = {"uid": f"uid-{self.store.revision}", "creationTimestamp": "2026-01-01T00:00:00Z"}
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **obj, "metadata": given | meta}
        key = resource.key(meta.get("namespace", ""), meta["name"])
        await self.store.create(key, orjson.dumps(whole))
        self.server.core.began_at = self.store.revision  # it was there before this server began

    async def http(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "admin-token",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any, Any]:
        """One request over HTTPS: status, decoded body (text if it is no JSON), headers."""
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        sent.update(headers or {})
        data = body if isinstance(body, str | bytes) else None
        json = body if data is None else None
        async with self.session.request(
            method, self.server.url + path, data=data, json=json, headers=sent
        ) as response:
            if "json" in response.content_type and response.content_type != "application/yaml":
                return response.status, await response.json(content_type=None), response.headers
            return response.status, await response.text(), response.headers


_founded: list[MemoryStore] = []


async def founded() -> MemoryStore:
    """What a server's first start leaves in its store; made once for all tests, only to be copied.

    It was founded at the beginning of fake time, so that under no test's clock it is from the future.
    """
    if not _founded:
        store = MemoryStore(FakeClock())
        server = api_server(store, FakeClock(), 2026)
        await server.start()
        await server.close()
        _founded.append(store)
    return _founded[0]


@asynccontextmanager
async def running(
    clock: Clock | None = None,
    *,
    from_nothing: bool = False,
    store: MemoryStore | None = None,
    listens: bool = True,
    kinds: Sequence[type[Controller]] = (),
    controllers: ControllerConfig | None = None,
    starts_clients: bool = True,
    **changes: Any,
) -> AsyncIterator[Rig]:
    """A server that runs while the block does: one that was started before, or `from_nothing`.

    It begins with a copy of `store`, if given, in which a server was started before.

    Controllers of `kinds` run beside it, each as its own account; unless `starts_clients` the test starts
    them, by `plane.start_clients`. Unless it `listens`, only clients of this process reach it.
    """
    clock = clock or SystemClock()
    store = MemoryStore(clock) if from_nothing else (store or await founded()).copy(clock)
    made = plane(store, clock, 7, kinds, controllers, **changes)
    is_founded = not from_nothing and not changes.keys() & SHAPES_FIRST_START
    await made.api.start(listens=listens, is_founded=is_founded)
    if starts_clients:
        await made.start_clients()
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust()))
    try:
        yield Rig(made, store, Client(made.api.local_transport(ADMIN), field_manager="test"), session)
    finally:
        await session.close()
        await made.close(0.5)
        await store.close()


def config_map(name: str, namespace: str = "default", **data: str) -> Object:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def pod(name: str, namespace: str = "default", **spec: Any) -> Object:
    """A pod of one container."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}], **spec},
    }


def account(namespace: str = "default", name: str = "default") -> Object:
    """A ServiceAccount."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace},
    }
