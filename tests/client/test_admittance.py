"""A client that is not let in says once who it is, where that is written, what to do; then it tries on."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
import yaml

from tests.apiserver.rig import Rig, files, running
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.election import ElectionConfig, LeaderElection
from wherry.cluster.alone.access import read_access
from wherry.cluster.leaves import KeyPair, Subject
from wherry.cluster.pki import Pki
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError

LONG_AGO = datetime.now(UTC) - timedelta(days=4000)


def signed(name: str, *, ended: bool = False, directory: Path | None = None) -> KeyPair:
    """A certificate of the rig's authority, or of one of its own in `directory`."""
    pki = Pki(directory or files().tokens_key.parent, LONG_AGO if ended else datetime.now(UTC))
    return pki.leaf(f"admitted-{name.rpartition(':')[2]}-{ended}", Subject(common_name=name))


def kubeconfig(tmp_path: Path, rig: Rig, user: dict[str, str], authority: Path | None = None) -> Path:
    ca = authority or files().authority.cert
    cluster = {"server": rig.server.url, "certificate-authority": str(ca)}
    content = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "somebody", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "somebody"}}],
        "current-context": "x",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(content))
    return file


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def tries(client: Client, clock: FakeClock) -> None:
    """What components do: follow two resources and stand for election, for five minutes."""
    cache = Cache(client, clock, random=Random(1))
    for resource in (PODS, NODES):
        cache.on(resource, lambda old, new: None)
    config = ElectionConfig(name="l", namespace="kube-system", identity="me")
    election = LeaderElection(client, clock, Random(1), config)
    waiting = [asyncio.ensure_future(work) for work in (cache.start(), election.acquire())]
    for _ in range(10):
        for resource in (PODS, NODES):
            with pytest.raises(ApiError):
                await client.list(resource)
        await clock.advance(30)
    assert not election.is_leader
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await cache.close()


@pytest.mark.parametrize("case", ["token", "user", "ended", "stranger", "server"])
async def test_one_line_says_who_is_not_let_in(
    case: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    async with running() as rig:
        authority = None
        if case == "token":
            user, says = {"token": "wrong"}, "does not know who we are (Unauthorized)"
        else:
            pair = {
                "user": lambda: signed("system:nobody-in-particular"),
                "ended": lambda: signed("system:kube-scheduler", ended=True),
                "stranger": lambda: signed("system:kube-scheduler", directory=tmp_path / "other"),
                "server": lambda: signed("system:kube-scheduler"),
            }[case]()
            user = {"client-certificate": str(pair.cert), "client-key": str(pair.key)}
            says = {
                "user": 'lets us do nothing (pods is forbidden: User "system:nobody-in-particular" ',
                "ended": "ends connections with our certificate (system:kube-scheduler, good until ",
                "stranger": "ends connections with our certificate (system:kube-scheduler, good until ",
                "server": "shows a certificate we do not trust (",
            }[case]
            if case == "server":
                authority = Pki(tmp_path / "other", datetime.now(UTC)).authority.cert
        file = kubeconfig(tmp_path, rig, user, authority)
        client = Client(read_access(file).transport("program"))
        await tries(client, clock)
        await client.close()
    (line,) = warned(caplog)
    assert line.startswith(f"the API server at {rig.server.url} {says}"), line
    assert line.endswith(
        f": we are the user 'somebody' of {file}; make that user good, or give another file with --kubeconfig"
    )


async def test_who_is_let_in_at_last_says_so_and_a_missing_right_is_another_matter(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wherry.client.admittance")
    async with running() as rig:
        token = tmp_path / "token"
        token.write_text("wrong")
        file = kubeconfig(tmp_path, rig, {"tokenFile": str(token)})
        client = Client(read_access(file).transport("program"))
        for _ in range(2):
            with pytest.raises(ApiError) as refused:
                await client.list(PODS)
            assert refused.value.is_told
        token.write_text("admin-token")
        await client.list(PODS)
        assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO]
        assert "lets us in now" in caplog.records[-1].getMessage()
        token.write_text("alice-token")
        with pytest.raises(ApiError) as forbidden:
            await client.list(PODS)
        assert not forbidden.value.is_told, "whoever follows it warns of what it may not see"
        assert len(caplog.records) == 2
        await client.close()
