"""A token is checked once, and again when what it names was written: never is it taken on memory alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, pod, running
from tests.timing import least, thread_seconds
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.authentication.service_accounts import Bound, TokenRefused, TokenVerifier
from wherry.apiserver.user import User
from wherry.kit.clock import FakeClock
from wherry.objects.meta import Object, uid_of


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
async def rig(clock: FakeClock) -> AsyncIterator[Rig]:
    async with running(clock) as made:
        await made.admin.create(SERVICE_ACCOUNTS, account())
        yield made


async def issue(rig: Rig, *bound: Bound) -> str:
    core = rig.server.core
    stored = await rig.admin.get(SERVICE_ACCOUNTS, "default", "default")
    return core.tokens.issue(stored, core.config.audiences, 3600, bound)[0]


def user_of(rig: Rig, token: str) -> User | None:
    authenticator = rig.server.core.authenticator
    found = authenticator.review(token, authenticator.audiences)
    return None if found is None else found[0]


async def bound_pod(rig: Rig, **spec: Any) -> Object:
    await rig.admin.create(PODS, pod("web", **spec))
    return await rig.admin.get(PODS, "web", "default")


async def test_the_same_user_is_found_without_looking_again(rig: Rig) -> None:
    token = await issue(rig)
    first = user_of(rig, token)
    assert first is not None
    assert first.name == "system:serviceaccount:default:default"
    assert user_of(rig, token) is first


async def test_a_change_of_the_account_is_looked_at(rig: Rig) -> None:
    token = await issue(rig)
    first = user_of(rig, token)
    await rig.admin.patch(SERVICE_ACCOUNTS, "default", "default", {"metadata": {"labels": {"a": "b"}}})
    again = user_of(rig, token)
    assert again == first
    assert again is not first


async def test_an_account_made_anew_is_another(rig: Rig) -> None:
    token = await issue(rig)
    assert user_of(rig, token) is not None
    await rig.admin.delete(SERVICE_ACCOUNTS, "default", "default")
    assert user_of(rig, token) is None
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    assert user_of(rig, token) is None


async def test_a_token_ends_with_its_pod(rig: Rig) -> None:
    bound = await bound_pod(rig)
    token = await issue(rig, Bound("pod", "web", uid_of(bound)))
    assert user_of(rig, token) is not None
    await rig.admin.delete(PODS, "web", "default", grace_period_s=0)
    assert user_of(rig, token) is None


async def test_a_pod_under_deletion_ends_its_token_after_a_while(rig: Rig, clock: FakeClock) -> None:
    bound = await bound_pod(rig, nodeName="node-1", terminationGracePeriodSeconds=30)
    token = await issue(rig, Bound("pod", "web", uid_of(bound)))
    assert user_of(rig, token) is not None
    await rig.admin.delete(PODS, "web", "default")
    assert user_of(rig, token) is not None
    await clock.advance(89)
    assert user_of(rig, token) is not None
    await clock.advance(2)
    assert user_of(rig, token) is None


async def test_a_remembered_token_expires(rig: Rig, clock: FakeClock) -> None:
    token = await issue(rig)
    assert user_of(rig, token) is not None
    await clock.advance(3601)
    assert user_of(rig, token) is None


async def test_tokens_are_remembered_by_their_bytes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many that name thousands of audiences would else be a gigabyte."""
    core = rig.server.core
    stored = await rig.admin.get(SERVICE_ACCOUNTS, "default", "default")
    audiences = [*core.config.audiences, *(f"{number:030}" for number in range(1000))]
    token = core.tokens.issue(stored, audiences, 3600)[0]
    before = memory_of(rig)
    assert user_of(rig, token) is not None
    assert memory_of(rig) == before, "what is too long is checked each time"
    for _ in range(5):
        assert user_of(rig, await issue(rig)) is not None
    assert memory_of(rig) > before


def verifier_of(rig: Rig) -> TokenVerifier:
    parts = vars(rig.server.core.authenticator).values()
    return next(part for part in parts if isinstance(part, TokenVerifier))


def memory_of(rig: Rig) -> int:
    return verifier_of(rig)._known.bytes


async def test_audiences_that_fit_no_token(rig: Rig) -> None:
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    for audiences in (["x" * 40_000], ["x"] * 10_000):
        status, body, _ = await rig.http("POST", path, {"spec": {"audiences": audiences}})
        assert (status, body["reason"]) == (422, "Invalid")
        assert "spec.audiences: Too long: may not be more than 32768 bytes" in body["message"]


async def test_many_audiences_are_compared_at_once_and_told_in_part(rig: Rig) -> None:
    stored = await rig.admin.get(SERVICE_ACCOUNTS, "default", "default")
    token = rig.server.core.tokens.issue(stored, [f"a{number}" for number in range(3000)], 3600)[0]
    wanted = [f"b{number}" for number in range(30_000)]

    def refuse() -> None:
        with pytest.raises(TokenRefused) as refused:
            verifier_of(rig).verify(token, wanted)
        assert len(str(refused.value)) < 5000
        assert '["a0" "a1" ' in str(refused.value)

    assert least(lambda: thread_seconds(refuse), 0.5) < 0.5
