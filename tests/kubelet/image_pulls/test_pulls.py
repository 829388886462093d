"""Pulls: shared by who shows the same, with one credential after the other, as often as registries bear."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import eventually
from wherry.kit.clock import FakeClock
from wherry.kubelet.credentials import Credential
from wherry.kubelet.image_pulls.pulls import PullRate, Pulls, shown_pull_error
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.images import Image

NAME = "reg.example/app:1"
ONE, TWO = (Credential({"username": name}) for name in "ab")


def pulls(runtime: FakeRuntime, clock: FakeClock, *, parallel: int = 3, burst: int = 10) -> Pulls:
    for name in (NAME, "b", "c"):
        runtime.pullable[name] = Image(f"sha256:{name}", (name,), 1)
    return Pulls(runtime, clock, PullRate(clock, 5, burst), parallel)


async def test_one_credential_after_the_other() -> None:
    clock = FakeClock()
    runtime = FakeRuntime(clock, [])
    runtime.failures["pull_image"] = [RuntimeFailure("denied", "ErrImagePull")]
    pulled = await pulls(runtime, clock).pull(NAME, [ONE, TWO])
    assert pulled.used == TWO
    assert [dict(auth or {}) for auth in runtime.auths] == [{"username": "a"}, {"username": "b"}]
    runtime.failures["pull_image"] = [RuntimeFailure(text, "ErrImagePull") for text in ("no", "never")]
    with pytest.raises(RuntimeFailure, match=r"^\[no, never\]$"):
        await pulls(runtime, clock).pull(NAME, [ONE, TWO])
    runtime.failures["pull_image"] = [RuntimeFailure("no", "ErrImagePull") for _ in range(2)]
    with pytest.raises(RuntimeFailure, match=r"^no$"):
        await pulls(runtime, clock).pull(NAME, [ONE, TWO])


async def test_who_shows_the_same_shares_a_pull() -> None:
    clock = FakeClock()
    runtime = FakeRuntime(clock, [])
    runtime.gates["pull_image"] = asyncio.Event()
    made = pulls(runtime, clock)
    shown = [[ONE], [Credential({"username": "a"})], [TWO], []]
    waiting = [asyncio.ensure_future(made.pull(NAME, one)) for one in shown]
    await eventually(lambda: runtime.calls["pull_image"] == 3)
    runtime.gates["pull_image"].set()
    found = await asyncio.gather(*waiting)
    assert [one.used for one in found] == [ONE, ONE, TWO, None]


@pytest.mark.parametrize(("parallel", "at_once"), [(1, 1), (2, 2), (0, 3)])
async def test_so_many_at_once(parallel: int, at_once: int) -> None:
    clock = FakeClock()
    runtime = FakeRuntime(clock, [])
    runtime.gates["pull_image"] = asyncio.Event()
    made = pulls(runtime, clock, parallel=parallel)
    waiting = [asyncio.ensure_future(made.pull(name, [])) for name in (NAME, "b", "c")]
    await eventually(lambda: runtime.calls["pull_image"] == at_once)
    await clock.advance(1)
    assert runtime.calls["pull_image"] == at_once
    runtime.gates["pull_image"].set()
    assert len(await asyncio.gather(*waiting)) == 3


async def test_so_often() -> None:
    clock = FakeClock()
    made = pulls(FakeRuntime(clock, []), clock, burst=2)
    await made.pull(NAME, [])
    await made.pull("b", [])
    with pytest.raises(RuntimeFailure, match=r"^pull QPS exceeded$"):
        await made.pull("c", [])
    await clock.advance(0.2)
    await made.pull("c", [])
    unbounded = PullRate(clock, 0, 0)
    assert all(unbounded.take() for _ in range(100))


@pytest.mark.parametrize(
    ("text", "reason", "shown"),
    [
        ("x", "ErrImagePull", "x"),
        (
            "RegistryUnavailable: no route",
            "RegistryUnavailable",
            "image pull failed for a because the registry is unavailable: no route",
        ),
        (
            "SignatureValidationFailed",
            "SignatureValidationFailed",
            "image pull failed for a because the signature validation failed",
        ),
    ],
)
def test_why_no_image_came(text: str, reason: str, shown: str) -> None:
    assert shown_pull_error("a", RuntimeFailure(text)) == (reason, shown)
