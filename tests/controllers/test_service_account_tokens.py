"""Secrets with a service account's token: filled in, and gone with the account."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.controllers.bench import Bench, running
from wherry.api.core.secrets import SECRETS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.controllers.config import ControllerConfig
from wherry.controllers.service_account_tokens import ServiceAccountTokens
from wherry.objects.meta import Object, annotations_of, uid_of

TYPE = "kubernetes.io/service-account-token"
NAME, UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
CONFIG = ControllerConfig(cluster_ca_pem="PEM")


def account(**more: Any) -> Object:
    return {"metadata": {"name": "robot", "namespace": "default"}, **more}


def secret(kind: str = TYPE, **annotations: str) -> Object:
    notes = {NAME: "robot", **annotations}
    return {"metadata": {"name": "robot-token", "namespace": "default", "annotations": notes}, "type": kind}


def text(stored: Object, key: str) -> str:
    return base64.b64decode(stored["data"][key]).decode()


def claims(stored: Object) -> Object:
    """What the token in a Secret says."""
    _, said, _ = text(stored, "token").split(".")
    found: Object = json.loads(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))
    return found


async def names(bench: Bench) -> list[str]:
    return [found["metadata"]["name"] for found in await bench.all(SECRETS)]


async def test_a_secret_is_filled_in() -> None:
    async with running(ServiceAccountTokens, config=CONFIG, before=[(SERVICE_ACCOUNTS, account())]) as bench:
        uid = uid_of(await bench.get(SERVICE_ACCOUNTS, "robot"))
        await bench.create(SECRETS, secret())
        stored = await bench.get(SECRETS, "robot-token")
        assert annotations_of(stored) == {NAME: "robot", UID: uid}
        assert (text(stored, "ca.crt"), text(stored, "namespace")) == ("PEM", "default")
        assert claims(stored) == {
            "iss": "kubernetes/serviceaccount",
            "kubernetes.io/serviceaccount/namespace": "default",
            "kubernetes.io/serviceaccount/secret.name": "robot-token",
            "kubernetes.io/serviceaccount/service-account.name": "robot",
            "kubernetes.io/serviceaccount/service-account.uid": uid,
            "sub": "system:serviceaccount:default:robot",
        }
        before = len(bench.requests.writes("PUT"))
        await bench.client.patch(SECRETS, "robot-token", "default", {"data": {"ca.crt": "Zm9yZ2Vk"}})
        await bench.settle()
        assert text(await bench.get(SECRETS, "robot-token"), "ca.crt") == "PEM"
        assert len(bench.requests.writes("PUT")) == before + 1


async def test_it_goes_with_its_account() -> None:
    async with running(ServiceAccountTokens, config=CONFIG, before=[(SERVICE_ACCOUNTS, account())]) as bench:
        await bench.create(SECRETS, secret())
        await bench.client.delete(SERVICE_ACCOUNTS, "robot", "default")
        await bench.settle()
        assert await names(bench) == []


async def test_one_for_an_account_that_never_was_goes_at_once() -> None:
    async with running(ServiceAccountTokens, config=CONFIG) as bench:
        await bench.create(SECRETS, secret())
        assert await names(bench) == []


async def test_one_for_another_account_of_the_name_goes() -> None:
    async with running(ServiceAccountTokens, config=CONFIG, before=[(SERVICE_ACCOUNTS, account())]) as bench:
        await bench.create(SECRETS, secret(**{UID: "of another time"}))
        assert await names(bench) == []


async def test_a_secret_that_goes_is_taken_out_of_its_account() -> None:
    listed = account(secrets=[{"name": "robot-token"}, {"name": "other"}])
    before = [(SERVICE_ACCOUNTS, listed), (SECRETS, secret())]
    async with running(ServiceAccountTokens, config=CONFIG, before=before) as bench:
        await bench.client.delete(SECRETS, "robot-token", "default")
        await bench.settle()
        assert (await bench.get(SERVICE_ACCOUNTS, "robot"))["secrets"] == [{"name": "other"}]


def behind(bench: Bench, **meta: str) -> None:
    """Have the cache show the account as it was, or as one before of its name."""
    stale = account(secrets=[{"name": "robot-token"}])
    stale["metadata"] |= {"uid": "before", "resourceVersion": "0", **meta}
    bench.controllers.cache.informer(SERVICE_ACCOUNTS).shelf.put(stale)


async def test_a_secret_of_a_new_account_stays_while_the_cache_shows_the_old_one() -> None:
    async with running(ServiceAccountTokens, config=CONFIG, before=[(SERVICE_ACCOUNTS, account())]) as bench:
        uid = uid_of(await bench.get(SERVICE_ACCOUNTS, "robot"))
        behind(bench)
        await bench.create(SECRETS, secret(**{UID: uid}))
        assert annotations_of(await bench.get(SECRETS, "robot-token"))[UID] == uid
        assert "token" in (await bench.get(SECRETS, "robot-token"))["data"]


async def test_a_gone_secret_is_not_taken_out_of_another_account_of_the_name() -> None:
    listed = account(secrets=[{"name": "robot-token"}])
    async with running(ServiceAccountTokens, config=CONFIG, before=[(SERVICE_ACCOUNTS, listed)]) as bench:
        behind(bench)
        await bench.create(SECRETS, secret(**{UID: "before"}))
        assert await names(bench) == ["robot-token"]
        await bench.client.delete(SECRETS, "robot-token", "default")
        await bench.settle()
        assert (await bench.get(SERVICE_ACCOUNTS, "robot"))["secrets"] == [{"name": "robot-token"}]


async def test_what_is_taken_out_of_the_account_is_of_its_present_list() -> None:
    listed = account(secrets=[{"name": "robot-token"}, {"name": "newer"}])
    async with running(
        ServiceAccountTokens, config=CONFIG, before=[(SERVICE_ACCOUNTS, listed), (SECRETS, secret())]
    ) as bench:
        behind(bench, uid=uid_of(await bench.get(SERVICE_ACCOUNTS, "robot")))
        await bench.client.delete(SECRETS, "robot-token", "default")
        await bench.settle()
        assert (await bench.get(SERVICE_ACCOUNTS, "robot"))["secrets"] == [{"name": "newer"}]
