"""A server behind the API server, over TLS on loopback, with the service and endpoints that lead to it."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from aiohttp import web

from tests.apiserver.rig import Rig
from wherry.apiserver.encoding import encode_stored
from wherry.cluster.leaves import KeyPair, Subject
from wherry.cluster.pki import Pki
from wherry.testing import keys

NAME = "backing"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@lru_cache(None)
def certificates() -> tuple[KeyPair, KeyPair]:
    """The authority, and the server's certificate for the service's name."""
    pki = Pki(keys.scratch() / "backing", datetime.now(UTC))
    names = (f"{NAME}.default.svc", "localhost")
    return pki.authority, pki.leaf("server", Subject(common_name=NAME, hosts=names))


def ca_bundle() -> str:
    """The authority as a caBundle field."""
    return base64.b64encode(certificates()[0].cert.read_bytes()).decode()


@asynccontextmanager
async def backing(handler: Handler, clients_of: Path | None = None) -> AsyncIterator[int]:
    """Serve every path through `handler` while the block runs; gives the port.

    `clients_of` is the authority clients must have a certificate of, None for no certificates.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pair = certificates()[1]
    context.load_cert_chain(str(pair.cert), str(pair.key))
    if clients_of is not None:
        context.load_verify_locations(str(clients_of))
        context.verify_mode = ssl.CERT_REQUIRED
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def publish(rig: Rig, port: int) -> None:
    """A service without a selector, and an endpoint slice that leads to `port` on loopback."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME},
        "spec": {"ports": [{"name": "https", "port": 443}]},
    }
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": NAME, "namespace": "default", "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": port}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
    }
    status, answer, _ = await rig.http("POST", "/api/v1/namespaces/default/services", service)
    assert status == 201, answer
    # Validation keeps loopback addresses out of slices, rightly; here it is where the server is.
    await rig.store.create(f"/registry/endpointslices/default/{NAME}", encode_stored(slice_))
