"""The controllers over HTTPS, against an API server that is not theirs: what they learn, and as whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, cast

import pytest

from tests.apiserver import rig
from tests.cluster.test_controller_rights import WIDGETS, workload
from tests.timing import PATIENCE_S
from wherry.api.apiextensions.custom_resource_definitions import CUSTOM_RESOURCE_DEFINITIONS
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource
from wherry.apiserver.user import User
from wherry.client.account_tokens import AccountTokens
from wherry.client.admittance import Standing
from wherry.client.api import Client
from wherry.client.discovery import Discovery, read_resources
from wherry.cluster.alone.access import Access
from wherry.cluster.alone.controllers import FLAGS, Manager, controller_config
from wherry.cluster.alone.flags import FlagError, Values, parse
from wherry.cluster.assembly import MANAGER, controller_user
from wherry.cluster.leaves import KeyPair, Subject
from wherry.cluster.pki import Pki
from wherry.kit.clock import FakeClock, SystemClock
from wherry.objects.errors import ApiError

WIDGET = Resource(group="example.com", version="v1", kind="Widget", plural="widgets", namespaced=True)


async def eventually(check: Callable[[], Awaitable[bool]], timeout_s: float = PATIENCE_S) -> None:
    """Return once `check` holds. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not await check():  # noqa: ASYNC110 - a server's state has no event to wait on
            await asyncio.sleep(0.01)


def manager_pair() -> KeyPair:
    """The certificate of the controller manager."""
    found = rig.files()
    pki = Pki(found.tokens_key.parent, SystemClock().now())
    return pki.leaf("controllers", Subject(common_name=controller_user("").name))


def told(*arguments: str) -> Values:
    return parse(MANAGER, FLAGS, arguments)


@asynccontextmanager
async def managed(*arguments: str) -> AsyncIterator[rig.Rig]:
    """An API server, and controllers that reach it as kube-controller-manager would."""
    async with rig.running() as made:
        pair = manager_pair()
        to = Access(
            server=made.server.url,
            authority_pem=rig.files().authority.cert.read_text(),
            cert_pem=pair.cert.read_text(),
            key_pem=pair.key.read_text(),
        )
        clock = SystemClock()
        client = Client(to.transport(MANAGER), field_manager=MANAGER)
        manager = Manager(told(*arguments), to, client, clock, Random(1))
        await manager.start()
        try:
            yield made
        finally:
            await manager.close()
            await client.close()


async def test_a_deployment_gets_its_pods_from_accounts_of_their_own() -> None:
    async with managed() as made:
        deployment = workload("Deployment", "web", 2)
        deployment["metadata"]["namespace"] = "default"
        await made.admin.create(DEPLOYMENTS, deployment)

        async def has_pods() -> bool:
            return len((await made.admin.list(PODS, "default")).items) == 2

        await eventually(has_pods)
        accounts = {obj["metadata"]["name"] for obj in (await made.admin.list(SERVICE_ACCOUNTS)).items}
        assert {"deployment-controller", "replicaset-controller"} <= accounts


async def test_custom_resources_are_learnt_and_cleared_away() -> None:
    async with managed() as made:
        admin = made.admin
        await admin.create(NAMESPACES, {"metadata": {"name": "shop"}})
        await admin.create(CUSTOM_RESOURCE_DEFINITIONS, WIDGETS)

        async def is_served() -> bool:
            served = await admin.transport.call("GET", "/apis")
            return "example.com" in {group["name"] for group in served["groups"]}

        await eventually(is_served)
        meta = {"name": "w", "namespace": "shop"}
        owner = await admin.create(
            WIDGET, {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": meta}
        )
        reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w"}
        owned = {"name": "owned", "namespace": "shop"}
        await admin.create(
            CONFIG_MAPS,
            {"metadata": {**owned, "ownerReferences": [{**reference, "uid": owner["metadata"]["uid"]}]}},
        )
        await admin.delete(WIDGET, "w", "shop", propagation="Background")

        async def is_gone() -> bool:
            listed = await admin.list(CONFIG_MAPS, "shop")
            return "owned" not in {obj["metadata"]["name"] for obj in listed.items}

        await eventually(is_gone)
        await admin.create(WIDGET, {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": meta})
        await admin.delete(NAMESPACES, "shop")

        async def has_no_shop() -> bool:
            return "shop" not in {obj["metadata"]["name"] for obj in (await admin.list(NAMESPACES)).items}

        await eventually(has_no_shop)


async def test_without_accounts_they_may_no_more_than_the_controller_manager() -> None:
    async with managed("--use-service-account-credentials=false", "--controllers=service-account") as made:

        async def is_made() -> bool:
            return bool((await made.admin.list(SERVICE_ACCOUNTS, "kube-public")).items)

        await eventually(is_made)  # what the controller manager itself may do
        accounts = await made.admin.list(SERVICE_ACCOUNTS, "kube-system")
        assert {obj["metadata"]["name"] for obj in accounts.items} == {"default"}


async def test_a_token_is_made_anew_before_it_ends() -> None:
    clock = FakeClock()
    async with rig.running(clock) as made:
        client = made.client(controller_user(""))
        tokens = AccountTokens(client, clock, "job-controller")
        first = await tokens.token()
        await clock.advance(2800)
        assert await tokens.token() == first
        await clock.advance(100)
        assert await tokens.token() != first


async def test_a_token_the_server_refuses_is_made_anew() -> None:
    """As when an account was deleted and made again: its old token is nobody's."""
    async with rig.running(SystemClock()) as made:
        admin = made.admin
        tokens = AccountTokens(admin, SystemClock(), "job-controller")
        nobody = Access(server=made.server.url, authority_pem=rig.files().authority.cert.read_text())
        transport = nobody.transport("t")
        acting = transport.acting(tokens, Standing(who="x", remedy="y"))
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}

        async def ask() -> None:
            await acting.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)

        await ask()
        await admin.delete(SERVICE_ACCOUNTS, "job-controller", "kube-system")
        with pytest.raises(ApiError) as refused:
            await ask()
        assert refused.value.code == 401
        await ask()
        tokens.refused("another")
        await admin.delete(SERVICE_ACCOUNTS, "job-controller", "kube-system")
        with pytest.raises(ApiError) as refused:
            await anext(acting.watch("/api/v1/nodes", {"watch": "true"}))
        assert refused.value.code == 401
        await ask()
        await transport.close()


@pytest.mark.parametrize("ahead_s", [-7200, 7200])
async def test_a_tokens_time_is_by_the_servers_clock(ahead_s: int) -> None:
    clock = FakeClock()

    class Ahead(FakeClock):
        def monotonic(self) -> float:
            return clock.monotonic()

    async with rig.running(clock) as made:
        own = Ahead(clock.now() + timedelta(seconds=ahead_s))
        tokens = AccountTokens(made.client(controller_user("")), own, "job-controller")
        first = await tokens.token()
        await clock.advance(2800)
        assert await tokens.token() == first
        await clock.advance(100)
        assert await tokens.token() != first


async def test_a_token_that_is_no_jwt_lasts_as_the_answer_says() -> None:
    clock = FakeClock()
    answers = iter(("opaque", "a.b.c", "a.W10.c"))

    class Granting:
        async def create_subresource(self, *_: object) -> dict[str, Any]:
            return {"spec": {"expirationSeconds": 600}, "status": {"token": next(answers)}}

    tokens = AccountTokens(cast(Client, Granting()), clock, "job-controller")
    assert await tokens.token() == "opaque"
    await clock.advance(479)
    assert await tokens.token() == "opaque"
    await clock.advance(2)
    assert await tokens.token() == "a.b.c"
    await clock.advance(481)
    assert await tokens.token() == "a.W10.c"


async def test_discovery_says_what_is_declared_as_it_is_declared() -> None:
    async with rig.running() as made:
        discovery = Discovery(made.client(User("alice", ("system:authenticated",))), SystemClock())
        await discovery.look()
        served = discovery.resources()
        assert DEPLOYMENTS in served
        assert set(made.server.core.registry.resources()) - set(served) == set()
        await discovery.look()
        assert discovery.resources() == served


async def test_a_group_that_does_not_answer_keeps_what_was_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig.running() as made:
        client = made.client(User("alice", ("system:authenticated",)))
        discovery = Discovery(client, SystemClock())
        await discovery.look()
        call = client.transport.call

        async def without_apps(method: str, path: str) -> object:
            if path == "/apis/apps/v1":
                raise ApiError(503, "ServiceUnavailable", "later")
            return await call(method, path)

        monkeypatch.setattr(client.transport, "call", without_apps)
        await discovery.look()
        assert DEPLOYMENTS in discovery.resources()


def test_subresources_belong_to_their_resource() -> None:
    listed = [
        {"name": "widgets", "kind": "Widget", "namespaced": True, "verbs": ["get"], "singularName": "widget"},
        {"name": "widgets/scale", "kind": "Scale", "namespaced": True, "verbs": ["get", "update"]},
    ]
    (found,) = read_resources("example.com/v1", listed)
    assert (found.api_version, found.plural, found.namespaced) == ("example.com/v1", "widgets", True)
    assert [(one.name, one.verbs) for one in found.subresources] == [("scale", ("get", "update"))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--allocate-node-cidrs"], "--allocate-node-cidrs needs a range; give --cluster-cidr"),
        (["--cluster-signing-cert-file=x"], "go together; give both"),
        (["--cloud-provider=aws"], "there are no cloud providers here"),
    ],
)
def test_flags_that_do_not_go_together(arguments: list[str], message: str) -> None:
    with pytest.raises(FlagError, match=message):
        controller_config(told(*arguments), "PEM")


def test_what_the_flags_say() -> None:
    config = controller_config(
        told("--allocate-node-cidrs", "--cluster-cidr=10.1.0.0/16", "--node-monitor-grace-period=20s"), "PEM"
    )
    assert (config.cluster_cidr, config.node_monitor_grace_s, config.cluster_ca_pem) == (
        "10.1.0.0/16",
        20.0,
        "PEM",
    )
    assert replace(config, cluster_cidr="") == controller_config(
        told("--node-monitor-grace-period=20s", "--cluster-cidr=10.1.0.0/16"), "PEM"
    )
