"""Who gets in: by which subresource of a node, in which words others are sent away, and what is asked how

often.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.apiserver.rig import running
from tests.conftest import eventually
from tests.kubelet.rig import AGENT, NODE
from tests.kubelet.server.test_server import ADMIN, Setup
from wherry.api.authentication.token_reviews import TOKEN_REVIEWS
from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.kit.clock import FakeClock
from wherry.kit.httpd.message import Connection, Request, RequestHeaders, Response
from wherry.kit.tls import COMMON_NAME, ORGANIZATION
from wherry.kubelet.server.access import (
    ALLOWED_S,
    ANSWER_S,
    MOST_AT_ONCE,
    MOST_WAITING,
    REFUSED_S,
    TOKEN_S,
    ApiReviews,
    Asker,
    Unanswered,
)
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

READER = Asker("reader", ("system:authenticated",))


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


@pytest.mark.parametrize(
    ("path", "method", "verb", "subresources"),
    [
        ("/metrics", "GET", "get", ["metrics"]),
        ("/metrics/cadvisor", "GET", "get", ["metrics"]),
        ("/stats/summary", "GET", "get", ["stats"]),
        ("/logs/", "GET", "get", ["log"]),
        ("/checkpoint/a/b/c", "POST", "create", ["checkpoint"]),
        ("/healthz", "GET", "get", ["healthz", "proxy"]),
        ("/healthz/ping", "GET", "get", ["healthz", "proxy"]),
        ("/pods", "GET", "get", ["pods", "proxy"]),
        ("/runningpods/", "GET", "get", ["pods", "proxy"]),
        ("/configz", "GET", "get", ["configz", "proxy"]),
        ("/statusz", "GET", "get", ["statusz"]),
        ("/flagz", "GET", "get", ["configz"]),
        ("/containerLogs/a/b/c", "GET", "get", ["proxy"]),
        ("/debug/pprof/", "GET", "get", ["proxy"]),
        ("/metricsfoo", "GET", "get", ["proxy"]),
        ("/podsfoo", "PUT", "update", ["proxy"]),
        ("/exec/a/b/c", "POST", "create", ["proxy"]),
        ("/exec/a/b/c", "GET", "create", ["proxy"]),
    ],
)
async def test_what_is_asked_of_the_api(
    setup: Setup, path: str, method: str, verb: str, subresources: list[str]
) -> None:
    answer = await setup.ask(path, method=method, asker=READER)
    assert answer.status == 403
    told = f"user=reader, verb={verb}, resource=nodes, subresource(s)=[{' '.join(subresources)}]"
    assert answer.body == f"Forbidden ({told})\n".encode()
    assert setup.reviews.asked == [("reader", verb, name) for name in subresources]


async def test_either_subresource_is_enough(setup: Setup) -> None:
    for right in ("pods", "proxy"):
        setup.reviews.rights = {("reader", "get", right)}
        assert (await setup.ask("/pods", asker=READER)).status == 200
    setup.reviews.rights = {("reader", "get", "proxy")}
    assert (await setup.ask("/metrics", asker=READER)).status == 403, (
        "what has one of its own goes by that alone"
    )


async def test_nobody_is_let_in_while_the_api_server_is_away(setup: Setup) -> None:
    setup.reviews.is_away = True
    answer = await setup.ask("/pods", asker=READER)
    assert (answer.status, answer.body) == (
        500,
        b"Authorization error (user=reader, verb=get, resource=nodes, subresource=pods)",
    )
    answer = await setup.ask("/pods", asker=None, headers={"authorization": "Bearer t"})
    assert (answer.status, answer.body) == (401, b"Unauthorized")
    assert (await setup.ask("/pods")).status == 200, "an administrator's certificate is enough"


async def test_without_a_name_there_is_nothing(setup: Setup) -> None:
    for headers in ({}, {"authorization": "Basic t"}, {"authorization": "Bearer "}):
        assert (await setup.ask("/healthz", asker=None, headers=headers)).status == 401


async def test_a_certificate_is_good_until_it_ends(setup: Setup) -> None:
    connection = Connection(None, b"DER", None, [(COMMON_NAME, "a"), (ORGANIZATION, "system:masters")])
    connection.peer_until = setup.clock.now() + timedelta(seconds=10)
    known = RequestHeaders({"authorization": "Bearer known"})
    setup.reviews.tokens["known"] = ADMIN
    for passing_s, headers, status in (
        (10, RequestHeaders(), 200),
        (1, RequestHeaders(), 401),
        (0, known, 200),
    ):
        await setup.clock.advance(passing_s)
        answer = await setup.server.answer(Request("GET", "/pods", "/pods", "", headers, b"", connection))
        assert isinstance(answer, Response)
        assert answer.status == status, "as with upstream's each request is judged by its own time"


class Counting:
    """A client that counts what it creates."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.count = 0
        self.is_away = False

    async def create(self, *args: object) -> object:
        self.count += 1
        if self.is_away:
            raise ApiError(503, "ServiceUnavailable", "it is away")
        return await self.client.create(*args)  # type: ignore[arg-type]


async def test_the_api_server_is_asked_once_a_while() -> None:
    async with running() as rig:
        clock = FakeClock()
        client = Counting(rig.client(AGENT))
        reviews = ApiReviews(client, NODE, clock)  # type: ignore[arg-type]
        assert await reviews.who("nonsense") is None
        admin = Asker("root", ("system:masters",))
        assert await reviews.may(admin, "get", "metrics")
        asked = client.count
        for _ in range(3):
            assert await reviews.may(admin, "get", "metrics")
        assert client.count == asked
        assert not await reviews.may(READER, "get", "metrics")
        await clock.advance(REFUSED_S)
        assert not await reviews.may(READER, "get", "metrics")
        assert client.count == asked + 2
        await clock.advance(ALLOWED_S)
        client.is_away = True
        with pytest.raises(Unanswered):
            await reviews.may(admin, "get", "metrics")
    assert TOKEN_S == 120, "upstream's authentication.webhook.cacheTTL"


class Silent:
    """A client whose API server answers nothing about tokens, and allows everything."""

    def __init__(self) -> None:
        self.count = 0

    async def create(self, resource: Resource, review: Object) -> Object:
        if resource is TOKEN_REVIEWS:
            self.count += 1
            await asyncio.get_running_loop().create_future()
        return {"status": {"allowed": True}}


async def test_strangers_who_wait_hold_nobody_up_and_end_in_time() -> None:
    clock, client = FakeClock(), Silent()
    reviews = ApiReviews(client, NODE, clock)  # type: ignore[arg-type]
    most = MOST_AT_ONCE + MOST_WAITING
    asking = [asyncio.ensure_future(reviews.who(f"made up {number}")) for number in range(most)]
    await eventually(lambda: client.count == MOST_AT_ONCE)
    refused = asyncio.ensure_future(reviews.who("one too many"))
    await eventually(refused.done)
    with pytest.raises(Unanswered, match="ask again later"):
        await refused
    assert await reviews.may(READER, "get", "metrics"), "of known people is asked all the same"
    await clock.advance(ANSWER_S)
    await asyncio.wait(asking)
    assert all(isinstance(one.exception(), Unanswered) for one in asking)
    assert client.count <= most
    late = asyncio.ensure_future(reviews.who("the next"))
    before = client.count
    await eventually(lambda: client.count == before + 1)
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
