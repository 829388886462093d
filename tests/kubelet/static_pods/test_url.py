"""Manifests from a URL, asked for again and again."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.kubelet.static_pods.manifests import manifest
from wherry.kit.clock import FakeClock
from wherry.kubelet.static_pods.manifest import MAX_BYTES
from wherry.kubelet.static_pods.url import Url
from wherry.objects.meta import Object

CHECK_S = 20.0


@dataclass
class Site:
    """Answers with `status` and `body`, and notes the headers it was asked with."""

    status: int = 200
    body: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    told: list[list[str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append({name: value for name, value in request.headers.items() if name == "X-Rack"})
        return web.Response(status=self.status, text=self.body)

    def hear(self, pods: Sequence[Object]) -> None:
        self.told.append([pod["metadata"]["name"] for pod in pods])


@pytest.fixture
async def site() -> AsyncIterator[tuple[Site, Url]]:
    made = Site()
    app = web.Application()
    app.router.add_get("/pods", made.answer)
    async with TestServer(app) as server:
        made.body = json.dumps(manifest("a"))
        source = Url(str(server.make_url("/pods")), {"X-Rack": ["r1"]}, "n", CHECK_S, FakeClock(), made.hear)
        try:
            yield made, source
        finally:
            await source.close()


async def test_another_answer_is_told_the_same_is_not(site: tuple[Site, Url]) -> None:
    made, source = site
    for names in (["a"], ["a"], ["a", "b"], []):
        items = [manifest(name) for name in names]
        made.body = json.dumps({"apiVersion": "v1", "kind": "PodList", "items": items})
        assert await source.ask() == CHECK_S
    assert made.told == [["a-n"], ["a-n", "b-n"], []]
    assert made.asked[0] == {"X-Rack": "r1"}


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, "", "/pods: 500 Internal Server Error"),
        (200, "", "zero-length data received from"),
        (200, "kind: [", "couldn't parse as pod("),
        (200, " " * (MAX_BYTES + 1), f"more than {MAX_BYTES} bytes"),
    ],
)
async def test_while_nothing_can_be_read_what_was_read_goes_on(
    site: tuple[Site, Url], caplog: pytest.LogCaptureFixture, status: int, body: str, message: str
) -> None:
    made, source = site
    await source.ask()
    made.status, made.body = status, body
    for _ in range(6):
        await source.ask()
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert message in errors[0]
    assert len(errors) == 4
    assert errors[-1] == "Failed to read pods from URL. Dropping verbosity of this message"
    assert made.told == [["a-n"]]


@pytest.mark.parametrize("place", ["/pods", "/missing", ":0/pods", ":no-port/pods"])
async def test_no_password_comes_into_the_log(
    site: tuple[Site, Url], caplog: pytest.LogCaptureFixture, place: str
) -> None:
    made, plain = site
    made.body = ""
    address = plain.shown.removesuffix("/pods")
    address = address.rpartition(":")[0] if place.startswith(":") else address
    url = address.replace("//", "//ci:s3cret@") + place
    source = Url(url, {}, "n", CHECK_S, FakeClock(), made.hear)
    await source.ask()
    await source.close()
    assert "Failed to read pods from URL: " in caplog.text
    assert address in caplog.text
    assert "s3cret" not in caplog.text
