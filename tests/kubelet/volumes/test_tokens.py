"""Tokens are renewed by the wall clock, which goes on while the machine sleeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.builders import make_pod
from tests.kubelet.rig import Node, node
from wherry.kit.clock import FakeClock
from wherry.kubelet.volumes.tokens import Tokens
from wherry.objects.meta import Object, format_time


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        yield running


class Server:
    """Gives tokens, counted."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.given = 0

    async def create_subresource(self, *_: object) -> Object:
        self.given += 1
        ends = format_time(self.clock.now() + timedelta(hours=1))
        return {"status": {"token": f"token {self.given}", "expirationTimestamp": ends}}


async def test_a_token_is_renewed_after_sleep() -> None:
    clock = FakeClock()
    tokens = Tokens(Server(clock), clock)  # type: ignore[arg-type]
    pod = make_pod()
    assert await tokens.token(pod, "", 3600) == "token 1"
    assert await tokens.token(pod, "", 3600) == "token 1"
    assert tokens.due() == set()
    clock.set_wall(clock.now() + timedelta(hours=2))  # asleep: no timer notices
    assert tokens.refresh_in_s("u1") == 0.0
    assert tokens.due() == {"u1"}
    assert await tokens.token(pod, "", 3600) == "token 2"


async def test_a_clock_set_back_makes_no_token_older_than_its_life() -> None:
    clock = FakeClock()
    tokens = Tokens(Server(clock), clock)  # type: ignore[arg-type]
    await tokens.token(make_pod(), "", 3600)
    clock.set_wall(clock.now() - timedelta(hours=5))
    assert tokens.refresh_in_s("u1") == pytest.approx(0.8 * 3600)
    await clock.advance(3000)
    assert tokens.due() == {"u1"}


async def test_volumes_get_the_new_token_soon_after_sleep(made: Node) -> None:
    source = {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
    volume = {"name": "t", "projected": {"sources": [source]}}
    await made.create("web", {"volumeMounts": [{"name": "t", "mountPath": "/t"}]}, volumes=[volume])
    await made.ready("web")
    (file,) = (made.config.root_dir / "pods").glob("*/volumes/*/t/token")
    before = file.read_text()
    made.clock.set_wall(made.clock.now() + timedelta(hours=2))
    await made.clock.advance(made.config.status_check_s)
    await eventually(lambda: file.read_text() != before)
