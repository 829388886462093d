"""Tokens in Secrets: good while Secret and account are there, and the Secret holds that very token."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from tests.apiserver.rig import Rig, running
from tests.conftest import eventually
from wherry.api.core.secrets import SECRETS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.kit.clock import FakeClock
from wherry.objects.legacy_tokens import INVALID_SINCE, LAST_USED, legacy_claims
from wherry.objects.meta import Object

REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
TYPE = "kubernetes.io/service-account-token"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running() as found:
        yield found


async def made(rig: Rig) -> str:
    """A token whose Secret is there."""
    meta = {"name": "robot", "namespace": "default"}
    account = await rig.admin.create(SERVICE_ACCOUNTS, {"metadata": meta})
    token = rig.server.core.tokens.keys.sign(legacy_claims(account, "robot-token"))
    notes = {"kubernetes.io/service-account.name": "robot"}
    await rig.admin.create(
        SECRETS,
        {
            "metadata": {"name": "robot-token", "namespace": "default", "annotations": notes},
            "type": TYPE,
            "data": {"token": base64.b64encode(token.encode()).decode()},
        },
    )
    return token


async def whoami(rig: Rig, token: str) -> tuple[int, Object]:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    code, answer, _ = await rig.http("POST", REVIEW, review, token=token)
    return code, answer


async def test_who_holds_it_is_the_account(rig: Rig) -> None:
    token = await made(rig)
    code, answer = await whoami(rig, token)
    assert code == 201
    user = answer["status"]["userInfo"]
    assert user["username"] == "system:serviceaccount:default:robot"
    assert "system:serviceaccounts:default" in user["groups"]


@pytest.mark.parametrize("how", ["secret gone", "account gone", "another token", "marked"])
async def test_it_ends_with_what_it_rests_on(rig: Rig, how: str) -> None:
    token = await made(rig)
    assert (await whoami(rig, token))[0] == 201
    if how == "secret gone":
        await rig.admin.delete(SECRETS, "robot-token", "default")
    elif how == "account gone":
        await rig.admin.delete(SERVICE_ACCOUNTS, "robot", "default")
    elif how == "another token":
        await rig.admin.patch(SECRETS, "robot-token", "default", {"data": {"token": "bmV3"}})
    else:
        labels = {INVALID_SINCE: "2026-01-01"}
        await rig.admin.patch(SECRETS, "robot-token", "default", {"metadata": {"labels": labels}})
    assert (await whoami(rig, token))[0] == 401


@pytest.mark.parametrize(
    "change",
    [
        {"kubernetes.io/serviceaccount/service-account.uid": "other"},
        {"kubernetes.io/serviceaccount/service-account.name": "default"},
        {"kubernetes.io/serviceaccount/secret.name": ""},
        {"kubernetes.io/serviceaccount/namespace": 7},
        {"sub": "system:serviceaccount:kube-system:robot"},
    ],
)
async def test_claims_at_odds_are_refused(rig: Rig, change: Object) -> None:
    await made(rig)
    account = await rig.admin.get(SERVICE_ACCOUNTS, "robot", "default")
    token = rig.server.core.tokens.keys.sign({**legacy_claims(account, "robot-token"), **change})
    assert (await whoami(rig, token))[0] == 401


async def label_of(rig: Rig) -> str:
    secret = await rig.admin.get(SECRETS, "robot-token", "default")
    return str((secret["metadata"].get("labels") or {}).get(LAST_USED, ""))


async def test_the_day_it_was_last_used_is_on_its_secret() -> None:
    clock = FakeClock()
    async with running(clock) as rig:
        token = await made(rig)
        assert await label_of(rig) == ""
        for day in ("2026-01-01", "2026-01-02"):

            async def is_noted(day: str = day) -> bool:
                return await label_of(rig) == day

            assert (await whoami(rig, token))[0] == 201
            await eventually(is_noted)
            revision = rig.server.core.registry.of(SECRETS).cacher.revision
            assert (await whoami(rig, token))[0] == 201  # once a day will do
            assert rig.server.core.registry.of(SECRETS).cacher.revision == revision
            await clock.advance(86400)


async def test_the_use_of_one_marked_invalid_is_noted_too(rig: Rig) -> None:
    token = await made(rig)
    label = {"metadata": {"labels": {INVALID_SINCE: "2026-01-01"}}}
    await rig.admin.patch(SECRETS, "robot-token", "default", label)
    assert (await whoami(rig, token))[0] == 401

    async def is_noted() -> bool:
        return await label_of(rig) == datetime.now(UTC).strftime("%Y-%m-%d")

    await eventually(is_noted)
