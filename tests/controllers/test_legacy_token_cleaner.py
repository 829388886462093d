"""Old tokens of accounts: which of them are turned off, and which deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers.fake_bench import Bench, running
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.pods import PODS
from wherry.api.core.secrets import SECRETS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource
from wherry.controllers.legacy_token_cleaner import LegacyTokenCleaner, day_in, secret_names
from wherry.objects.legacy_tokens import ACCOUNT_NAME, ACCOUNT_UID, INVALID_SINCE, LAST_USED
from wherry.objects.meta import Object

# "Now" is the first of January 2026; what was not used since the same day of 2025 is old.
OLD, YOUNG = "2020-01-01T00:00:00Z", "2025-06-01T00:00:00Z"
NAME = "robot-token"


def secret(created: str = OLD, annotations: Object | None = None, **labels: str) -> Object:
    named = {"last_used": LAST_USED, "invalid_since": INVALID_SINCE}
    meta = {
        "name": NAME,
        "namespace": "default",
        "creationTimestamp": created,
        "labels": {named[name]: value for name, value in labels.items()},
        "annotations": {ACCOUNT_NAME: "robot", **(annotations or {})},
    }
    return {"metadata": meta, "type": "kubernetes.io/service-account-token"}


def tracking(since: str = "2020-01-01") -> Object:
    name = "kube-apiserver-legacy-service-account-token-tracking"
    return {"metadata": {"name": name, "namespace": "kube-system"}, "data": {"since": since}}


def account(*secrets: str) -> Object:
    meta = {"name": "robot", "namespace": "default", "uid": "u1"}
    return {"metadata": meta, "secrets": [{"name": name} for name in secrets]}


def pod(**spec: Any) -> Object:
    return {"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [], **spec}}


async def outcome(bench: Bench) -> str:
    found = await bench.all(SECRETS)
    if not found:
        return "deleted"
    return found[0]["metadata"]["labels"].get(INVALID_SINCE) or "kept"


MARKED = "2026-01-01"


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ([(SECRETS, secret())], MARKED),
        ([(SECRETS, secret(last_used="2024-12-31"))], MARKED),
        ([(SECRETS, secret(last_used="2025-01-01"))], "kept"),
        ([(SECRETS, secret(last_used="yesterday"))], "kept"),
        ([(SECRETS, secret(YOUNG))], "kept"),
        ([(SECRETS, secret(invalid_since="2024-12-31"))], "deleted"),
        ([(SECRETS, secret(invalid_since="2025-01-01"))], "2025-01-01"),
        ([(SECRETS, secret(invalid_since="nonsense"))], MARKED),
        ([(SECRETS, secret(annotations={ACCOUNT_UID: "another"}))], "kept"),
        ([(SECRETS, secret()), (PODS, pod(volumes=[{"secret": {"secretName": NAME}}]))], "kept"),
    ],
)
async def test_what_becomes_of_a_token(objects: list[tuple[Resource, Object]], expected: str) -> None:
    before = [*objects, (SERVICE_ACCOUNTS, account(NAME)), (CONFIG_MAPS, tracking())]
    async with running(LegacyTokenCleaner, before=before) as bench:
        assert await outcome(bench) == expected


@pytest.mark.parametrize(
    "objects",
    [
        [(SERVICE_ACCOUNTS, account()), (CONFIG_MAPS, tracking())],
        [(SERVICE_ACCOUNTS, account(NAME)), (CONFIG_MAPS, tracking("2025-01-01"))],
        [(SERVICE_ACCOUNTS, account(NAME)), (CONFIG_MAPS, tracking("nonsense"))],
        [(SERVICE_ACCOUNTS, account(NAME))],
        [(CONFIG_MAPS, tracking())],
    ],
    ids=["the user's own", "not tracked long enough", "nobody knows since when", "not tracked", "no account"],
)
async def test_what_is_not_known_to_be_unused_stays(objects: list[tuple[Resource, Object]]) -> None:
    async with running(LegacyTokenCleaner, before=[(SECRETS, secret()), *objects]) as bench:
        assert await outcome(bench) == "kept"


async def test_a_year_after_it_was_turned_off_a_token_goes() -> None:
    before = [(SECRETS, secret()), (SERVICE_ACCOUNTS, account(NAME)), (CONFIG_MAPS, tracking())]
    async with running(LegacyTokenCleaner, before=before) as bench:
        await bench.clock.advance(365 * 86400)
        await bench.settle()
        assert await outcome(bench) == MARKED
        await bench.clock.advance(2 * 86400)
        await bench.settle()
        assert await outcome(bench) == "deleted"


def test_every_secret_a_pod_names_is_in_use() -> None:
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}}]
    named = pod(
        imagePullSecrets=[{"name": "pull"}],
        containers=[{"name": "c", "env": env, "envFrom": [{"secretRef": {"name": "all"}}]}],
        volumes=[
            {"name": "a", "secret": {"secretName": "mounted"}},
            {"name": "b", "projected": {"sources": [{"secret": {"name": "part"}}]}},
            {"name": "c", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "csi"}}},
            {"name": "d", "azureFile": {"secretName": "file"}},
            {"name": "e", "rbd": {"secretRef": {"name": "rbd"}}},
            {"name": "f", "configMap": {"name": "none"}},
        ],
    )
    found = {name for name in secret_names(named) if name}
    assert found == {"pull", "key", "all", "mounted", "part", "csi", "file", "rbd"}


@pytest.mark.parametrize("text", ["", "2026-1-1", "2026-02-30", "20260101", "today", "2026-01-01T00:00:00Z"])
def test_what_is_no_day(text: str) -> None:
    assert day_in(text) is None
