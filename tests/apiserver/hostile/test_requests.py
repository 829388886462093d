"""Targets, methods and headers out of the ordinary."""

from __future__ import annotations

import pytest

from tests.apiserver.hostile.wire import CONFIG_MAPS, PODS, ask, refused
from tests.apiserver.rig import Rig

NOWHERE = [
    "/../../etc/passwd",
    "//",
    "/api//v1/pods",
    "/api/v1//pods",
    "/api/v1/../../version",
    "/api/v1/namespaces/default//pods",
    "/api/v1/namespaces/default/nosuch",
    "/apis/apps/v1/namespaces/default/pods",
    "/apis/%00/v1/x",
    "/" + "a/" * 10_000,
    "/openapi/v3/../v2",
    "/openapi/v3/%00",
    "/healthz/../x",
    "/livez/nosuch",
    "/metrics/x",
    f"{PODS}/target/nosuch",
    f"{PODS}/target/log/../..",
    f"{CONFIG_MAPS}/a%2fb",
    f"{CONFIG_MAPS}/a%00b",
    f"{CONFIG_MAPS}/..",
    f"{CONFIG_MAPS}/%2e%2e",
    f"{CONFIG_MAPS}/%zz",
    f"{CONFIG_MAPS}/" + "a" * 30_000,
    "/api/v1/namespaces/default/secrets%2fx",
]


@pytest.mark.parametrize("path", NOWHERE, ids=lambda path: path[:50])
async def test_paths_that_lead_nowhere(rig: Rig, path: str) -> None:
    for method in ("GET", "DELETE", "PUT", "PATCH"):
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        reply = await ask(rig, method, path, b"{}", kind)
        assert reply.code in (400, 404, 405), (method, reply.code, reply.body[:200])
        refused(reply, reply.code, {400: "BadRequest", 404: "NotFound", 405: "MethodNotAllowed"}[reply.code])
    refused(await ask(rig, "GET", path), 404, "NotFound")


UNREADABLE = [
    f"{CONFIG_MAPS}/%ff".encode(),
    f"{CONFIG_MAPS}/".encode() + b"\xff",
    f"{CONFIG_MAPS}/a b".encode(),
    f"{CONFIG_MAPS}/\x00".encode(),
]


@pytest.mark.parametrize("target", UNREADABLE)
async def test_targets_that_cannot_be_read(rig: Rig, target: bytes) -> None:
    refused(await ask(rig, "GET", target), 400, "BadRequest", "not well-formed HTTP")


async def test_methods(rig: Rig) -> None:
    for method in ("OPTIONS", "TRACE", "PROPFIND", "PURGE"):
        for target in (CONFIG_MAPS, f"{CONFIG_MAPS}/target", "/version", "/apis"):
            refused(await ask(rig, method, target), 405, "MethodNotAllowed")
    for method in ("FOO", "get", "G\x01T", "X" * 1000):
        refused(await ask(rig, method, CONFIG_MAPS), 400, "BadRequest")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        refused(await ask(rig, method, "/api/v1/watch/pods", b"{}"), 405, "MethodNotAllowed")
    refused(await ask(rig, "POST", f"{CONFIG_MAPS}/target", b"{}"), 405, "MethodNotAllowed")
    refused(await ask(rig, "PUT", CONFIG_MAPS, b"{}"), 405, "MethodNotAllowed")


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/xml",
        "*/*;q=0",
        ",",
        ";;;",
        "image/*",
        "application/cbor",
        "a" * 60_000,
        "application/foo," * 3000,
        "application/json;q=nan",
        "application/json;as=Table;v=v9;g=x",
        "application/json;as=Foo;v=v1;g=meta.k8s.io",
        "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1",
    ],
    ids=lambda accept: accept[:40],
)
async def test_accept(rig: Rig, accept: str) -> None:
    said = "only the following media types are accepted: application/json, application/yaml"
    for target in (CONFIG_MAPS, f"{CONFIG_MAPS}/target", f"{CONFIG_MAPS}?watch=1&timeoutSeconds=1"):
        reply = await ask(rig, "GET", target, headers={"Accept": accept})
        refused(reply, 406, "NotAcceptable", said)


async def test_heads_that_are_too_large(rig: Rig) -> None:
    refused(await ask(rig, "GET", CONFIG_MAPS, headers={"X-A": "a" * 70_000}), 431, None)
    refused(await ask(rig, "GET", CONFIG_MAPS, headers={f"X-{n}": "a" for n in range(300)}), 431, None)
    refused(await ask(rig, "GET", f"{CONFIG_MAPS}?a=" + "b" * 70_000), 431, None)


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer a.b.c",
        "Bearer \xff",
        "Bearer " + "x" * 60_000,
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer eyJhbGciOiJSUzI1NiJ9.W10.AA",
        "Bearer eyJhbGciOiJSUzI1NiJ9." + "W1tb" * 5000 + ".AA",
    ],
    ids=lambda it: it[:40],
)
async def test_credentials(rig: Rig, authorization: str) -> None:
    reply = await ask(rig, "GET", CONFIG_MAPS, headers={"Authorization": authorization})
    refused(reply, 401, "Unauthorized", "Unauthorized")


async def test_impersonation_without_a_user(rig: Rig) -> None:
    for headers in ({"Impersonate-Group": "x"}, {"Impersonate-Uid": "x"}, {"Impersonate-Extra-%ff": "x"}):
        reply = await ask(rig, "GET", CONFIG_MAPS, headers=headers)
        refused(reply, 400, "BadRequest", "without impersonating a user name")


NO_UPGRADES = [
    {"Upgrade": "websocket"},
    {"Connection": "Upgrade"},
    {"Upgrade": "websocket", "Connection": "Upgrade"},
    {"Upgrade": "SPDY/3.1", "Connection": "Upgrade"},
    {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "x"},
    {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "x",
        "Sec-WebSocket-Version": "99",
    },
    {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "x",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "nonsense",
    },
]


@pytest.mark.parametrize("headers", NO_UPGRADES, ids=str)
async def test_upgrades_that_are_none(rig: Rig, headers: dict[str, str]) -> None:
    """What can be answered plainly is; what needs a stream is refused."""
    for target in (CONFIG_MAPS, f"{CONFIG_MAPS}/target", "/version"):
        assert (await ask(rig, "GET", target, headers=headers)).code == 200
    for command in ("exec?command=true&stdout=1", "attach?stdout=1", "portforward?ports=80", "exec"):
        reply = await ask(rig, "GET", f"{PODS}/target/{command}", headers=headers)
        assert 400 <= reply.code < 500, (command, reply)
        refused(reply, reply.code, reply.json.get("reason"))
