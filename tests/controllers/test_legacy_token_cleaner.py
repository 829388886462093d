"""Old tokens of accounts: which of them are turned off, and which deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.pods import PODS
from wherry.api.core.secrets import SECRETS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource
from wherry.controllers.legacy_token_cleaner import LegacyTokenCleaner, day_in, secret_names
from wherry.objects.legacy_tokens import ACCOUNT_NAME, ACCOUNT_UID, INVALID_SINCE, LAST_USED
from wherry.objects.meta import Object, labels_of

# "Now" is the first of January 2026; what was not used since the same day of 2025 is old.
OLD, YOUNG = "2020-01-01T00:00:00Z", "2025-06-01T00:00:00Z"
NAME = "robot-token"
TRACKING = "kube-apiserver-legacy-service-account-token-tracking"
"""Where the server says since when it notes which tokens are used."""


def secret(annotations: Object | None = None, **labels: str) -> Object:
    named = {"last_used": LAST_USED, "invalid_since": INVALID_SINCE}
    meta = {
        "name": NAME,
        "namespace": "default",
        "labels": {named[name]: value for name, value in labels.items()},
        "annotations": {ACCOUNT_NAME: "robot", **(annotations or {})},
    }
    return {"metadata": meta, "type": "kubernetes.io/service-account-token"}


def account(*secrets: str) -> Object:
    meta = {"name": "robot", "namespace": "default"}
    return {"metadata": meta, "secrets": [{"name": name} for name in secrets]}


def pod(**spec: Any) -> Object:
    return samples.pod("p", spec=spec)


class Past:
    """What happened before the cleaner began: tokens made at some time, and tracked since another."""

    def __init__(
        self,
        *objects: tuple[Resource, Object],
        token: Object | None = None,
        made: str = OLD,
        since: str | None = "2020-01-01",
    ) -> None:
        self._objects = objects
        self._token = token or secret()
        self._made = made
        self._since = since

    async def __call__(self, bench: Bench) -> None:
        for resource, obj in self._objects:
            await bench.make(resource, obj)
        with bench.clock.at(self._made):
            await bench.make(SECRETS, self._token)
        if self._since is None:
            await bench.client.delete(CONFIG_MAPS, TRACKING, "kube-system")
        else:
            since = {"data": {"since": self._since}}
            await bench.client.patch(CONFIG_MAPS, TRACKING, "kube-system", since)


async def outcome(bench: Bench) -> str:
    found = await bench.all(SECRETS, "default")
    if not found:
        return "deleted"
    return labels_of(found[0]).get(INVALID_SINCE) or "kept"


MARKED = "2026-01-01"


@pytest.mark.parametrize(
    ("token", "made", "others", "expected"),
    [
        (secret(), OLD, [], MARKED),
        (secret(last_used="2024-12-31"), OLD, [], MARKED),
        (secret(last_used="2025-01-01"), OLD, [], "kept"),
        (secret(last_used="yesterday"), OLD, [], "kept"),
        (secret(), YOUNG, [], "kept"),
        (secret(invalid_since="2024-12-31"), OLD, [], "deleted"),
        (secret(invalid_since="2025-01-01"), OLD, [], "2025-01-01"),
        (secret(invalid_since="nonsense"), OLD, [], MARKED),
        (secret(annotations={ACCOUNT_UID: "another"}), OLD, [], "kept"),
        (secret(), OLD, [(PODS, pod(volumes=[{"name": "v", "secret": {"secretName": NAME}}]))], "kept"),
    ],
)
async def test_what_becomes_of_a_token(
    token: Object, made: str, others: list[tuple[Resource, Object]], expected: str
) -> None:
    past = Past((SERVICE_ACCOUNTS, account(NAME)), *others, token=token, made=made)
    async with running(LegacyTokenCleaner, before=past) as bench:
        assert await outcome(bench) == expected


@pytest.mark.parametrize(
    "past",
    [
        Past((SERVICE_ACCOUNTS, account())),
        Past((SERVICE_ACCOUNTS, account(NAME)), since="2025-01-01"),
        Past((SERVICE_ACCOUNTS, account(NAME)), since="nonsense"),
        Past((SERVICE_ACCOUNTS, account(NAME)), since=None),
        Past(),
    ],
    ids=["the user's own", "not tracked long enough", "nobody knows since when", "not tracked", "no account"],
)
async def test_what_is_not_known_to_be_unused_stays(past: Past) -> None:
    async with running(LegacyTokenCleaner, before=past) as bench:
        assert await outcome(bench) == "kept"


async def test_a_year_after_it_was_turned_off_a_token_goes() -> None:
    async with running(LegacyTokenCleaner, before=Past((SERVICE_ACCOUNTS, account(NAME)))) as bench:
        bench.clock.skip(364 * 86400)
        await bench.clock.advance(86400)
        assert await outcome(bench) == MARKED
        bench.clock.skip(86400)
        await bench.clock.advance(86400)
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
