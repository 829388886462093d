"""A token is checked once, and again when what it names was written: never is it taken on memory alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, pod, running
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.authentication.service_accounts import Bound
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
    return core.tokens.issue(stored, core.config.api_audiences, 3600, bound)[0]


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
