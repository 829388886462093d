"""Pods of an account that is held to its secrets get at no others, whichever way they ask."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, pod
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

ELSE = "is not allowed because service account robot does not reference that secret"


@pytest.fixture
async def limited(rig: Rig) -> Rig:
    """A server with an account `robot` that lists one secret of each use."""
    robot = {
        **account(name="robot"),
        "secrets": [{"name": "mine"}],
        "imagePullSecrets": [{"name": "pull"}],
    }
    robot["metadata"]["annotations"] = {"kubernetes.io/enforce-mountable-secrets": "true"}
    await rig.admin.create(SERVICE_ACCOUNTS, robot)
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    return rig


def using(secret: str, where: str) -> dict[str, Any]:
    """The part of a pod's spec that refers to a secret."""
    env = {"env": [{"name": "V", "valueFrom": {"secretKeyRef": {"name": secret, "key": "k"}}}]}
    env_from = {"envFrom": [{"secretRef": {"name": secret}}]}
    container = {"name": "c", "image": "i"}
    parts: dict[str, dict[str, Any]] = {
        "volume": {"volumes": [{"name": "v", "secret": {"secretName": secret}}]},
        "projected": {"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": secret}}]}}]},
        "env": {"containers": [{**container, **env}]},
        "envFrom": {"containers": [{**container, **env_from}]},
        "init env": {"initContainers": [{**container, "name": "i", **env}]},
        "init envFrom": {"initContainers": [{**container, "name": "i", **env_from}]},
    }
    return parts[where]


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("volume", 'volume with secret.secretName="{}"'),
        ("env", 'container c with envVar V referencing secret.secretName="{}"'),
        ("envFrom", 'container c with envFrom referencing secret.secretName="{}"'),
        ("init env", 'init container i with envVar V referencing secret.secretName="{}"'),
        ("init envFrom", 'init container i with envFrom referencing secret.secretName="{}"'),
    ],
)
async def test_secrets_of_others(limited: Rig, where: str, why: str) -> None:
    with pytest.raises(ApiError) as caught:
        await limited.admin.create(PODS, pod("p", serviceAccountName="robot", **using("other", where)))
    assert caught.value.code == 403
    assert caught.value.message == f'pods "p" is forbidden: {why.format("other")} {ELSE}'
    await limited.admin.create(PODS, pod("p", serviceAccountName="robot", **using("mine", where)))
    await limited.admin.create(PODS, pod("free", **using("other", where)))


async def test_projected_secrets_pass(limited: Rig) -> None:
    """As upstream lets them."""
    await limited.admin.create(PODS, pod("p", serviceAccountName="robot", **using("other", "projected")))


async def test_pull_secrets(limited: Rig) -> None:
    made = await limited.admin.create(PODS, pod("p", serviceAccountName="robot"))
    assert made["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    with pytest.raises(ApiError) as caught:
        await limited.admin.create(
            PODS,
            pod("q", serviceAccountName="robot", imagePullSecrets=[{"name": "pull"}, {"name": "mine"}]),
        )
    assert caught.value.message == (
        'pods "q" is forbidden: imagePullSecrets[1].name="mine" is not allowed because service account robot '
        "does not reference that imagePullSecret"
    )


@pytest.mark.parametrize(("part", "shown"), [("env", "envVar V"), ("envFrom", "envFrom")])
async def test_containers_that_join_later(limited: Rig, part: str, shown: str) -> None:
    await limited.admin.create(PODS, pod("p", serviceAccountName="robot"))
    path = "/api/v1/namespaces/default/pods/p/ephemeralcontainers"

    async def join(name: str, secret: str) -> tuple[int, Object]:
        (container,) = using(secret, part)["containers"]
        body = {"spec": {"ephemeralContainers": [{**container, "name": name}]}}
        headers = {"Content-Type": "application/strategic-merge-patch+json"}
        status, answer, _ = await limited.http("PATCH", path, body, headers=headers)
        return status, answer

    status, body = await join("d", "other")
    why = f'ephemeral container d with {shown} referencing secret.secretName="other" {ELSE}'
    assert (status, body["message"]) == (403, f'pods "p" is forbidden: {why}')
    assert (await join("d", "mine"))[0] == 200


@pytest.mark.parametrize(("value", "holds"), [("1", True), ("TRUE", True), ("yes", False), ("false", False)])
async def test_the_annotation_is_read_as_go_does(limited: Rig, value: str, holds: bool) -> None:
    robot = await limited.admin.get(SERVICE_ACCOUNTS, "robot", "default")
    robot["metadata"]["annotations"] = {"kubernetes.io/enforce-mountable-secrets": value}
    await limited.admin.update(SERVICE_ACCOUNTS, robot)
    asked = pod("p", serviceAccountName="robot", **using("other", "volume"))
    if holds:
        with pytest.raises(ApiError):
            await limited.admin.create(PODS, asked)
    else:
        await limited.admin.create(PODS, asked)
