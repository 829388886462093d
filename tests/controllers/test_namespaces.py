"""What every namespace gets, and how one goes away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource
from wherry.client.api import Client, Listing
from wherry.controllers.config import ControllerConfig
from wherry.controllers.namespace import PAGE, Namespaces, Remains, plan_conditions
from wherry.controllers.root_ca import RootCa
from wherry.controllers.service_account import ServiceAccounts
from wherry.kit.clock import FakeClock
from wherry.objects.meta import Object, name_of

SHOP: Object = {"metadata": {"name": "shop"}, "spec": {"finalizers": ["kubernetes"]}}


async def going(bench: Bench) -> None:
    """A namespace that is being deleted."""
    await bench.make(NAMESPACES, SHOP)
    await bench.client.delete(NAMESPACES, "shop")


async def test_every_namespace_has_a_default_account_for_ever() -> None:
    async with running(ServiceAccounts, before=[(NAMESPACES, SHOP)]) as bench:
        assert await bench.get(SERVICE_ACCOUNTS, "default", "shop")
        await bench.client.delete(SERVICE_ACCOUNTS, "default", "shop")
        await bench.settle()
        assert await bench.get(SERVICE_ACCOUNTS, "default", "shop")


async def test_a_namespace_that_goes_gets_nothing() -> None:
    config = ControllerConfig(cluster_ca_pem="PEM")
    async with running(ServiceAccounts, RootCa, config=config, before=going) as bench:
        assert await bench.all(SERVICE_ACCOUNTS, "shop") == []
        assert await bench.all(CONFIG_MAPS, "shop") == []
        assert await bench.all(SERVICE_ACCOUNTS, "default")


async def test_every_namespace_has_the_certificate_authority() -> None:
    config = ControllerConfig(cluster_ca_pem="PEM")
    async with running(RootCa, config=config, before=[(NAMESPACES, SHOP)]) as bench:
        assert (await bench.get(CONFIG_MAPS, "kube-root-ca.crt", "shop"))["data"] == {"ca.crt": "PEM"}
        change = {"data": {"ca.crt": "forged", "more": "x"}}
        await bench.client.patch(CONFIG_MAPS, "kube-root-ca.crt", "shop", change)
        await bench.settle()
        assert (await bench.get(CONFIG_MAPS, "kube-root-ca.crt", "shop"))["data"] == {"ca.crt": "PEM"}


async def test_a_namespace_goes_when_its_last_pod_is_gone() -> None:
    async def going_with_what_is_in_it(bench: Bench) -> None:
        await bench.make(NAMESPACES, SHOP)
        await bench.make(PODS, samples.pod("p", namespace="shop", finalizers=["test/hold"]))
        for namespace in ("shop", "default"):
            await bench.make(CONFIG_MAPS, {"metadata": {"name": "c", "namespace": namespace}})
        await bench.client.delete(NAMESPACES, "shop")

    async with running(Namespaces, before=going_with_what_is_in_it) as bench:
        assert len(await bench.all(CONFIG_MAPS, "shop")) == 1, "pods go first"
        status = (await bench.get(NAMESPACES, "shop", ""))["status"]
        told = {c["type"]: (c["status"], c["message"]) for c in status["conditions"]}
        assert told["NamespaceContentRemaining"] == (
            "True",
            "Some resources are remaining: pods. has 1 resource instances",
        )
        assert told["NamespaceFinalizersRemaining"] == (
            "True",
            "Some content in the namespace has finalizers remaining: test/hold in 1 resource instances",
        )
        await bench.client.patch(PODS, "p", "shop", {"metadata": {"finalizers": None}})
        await bench.settle()
        assert "shop" not in [name_of(found) for found in await bench.all(NAMESPACES)]
        assert len(await bench.all(CONFIG_MAPS, "default")) == 1


def test_an_empty_namespace_says_so() -> None:
    conditions = plan_conditions([], Remains(), FakeClock().now())
    assert {(c["type"], c["status"], c["reason"]) for c in conditions} == {
        ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered"),
        ("NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions"),
        ("NamespaceDeletionContentFailure", "False", "ContentDeleted"),
        ("NamespaceContentRemaining", "False", "ContentRemoved"),
        ("NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers"),
    }


async def test_what_remains_is_looked_at_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    pages, turns = list[int](), list[str]()
    real, slept = Client.list, asyncio.sleep

    async def listed(self: Client, resource: Resource, *args: Any, **options: Any) -> Listing:
        page = await real(self, resource, *args, **options)
        if resource is CONFIG_MAPS and options.get("limit") == PAGE:
            pages.append(len(page.items))
            turns.append("page")
        return page

    async def going_with_many(bench: Bench) -> None:
        await bench.make(NAMESPACES, SHOP)
        for number in range(3 * PAGE):
            meta = {"name": f"c{number}", "namespace": "shop", "finalizers": ["test/a", "test/b"]}
            await bench.make(CONFIG_MAPS, {"metadata": meta})
        monkeypatch.setattr(Client, "list", listed)
        await bench.client.delete(NAMESPACES, "shop")

    async def sleep(seconds: float) -> None:
        turns.append("turn")
        await slept(seconds)

    monkeypatch.setattr("wherry.controllers.namespace.asyncio.sleep", sleep)
    async with running(Namespaces, before=going_with_many) as bench:
        status = (await bench.get(NAMESPACES, "shop", ""))["status"]
    told = {c["type"]: c["message"] for c in status["conditions"]}
    assert told["NamespaceContentRemaining"].endswith(f"configmaps. has {3 * PAGE} resource instances")
    assert told["NamespaceFinalizersRemaining"].endswith(
        f"test/a in {3 * PAGE} resource instances, test/b in {3 * PAGE} resource instances"
    )
    assert pages[:3] == [PAGE] * 3
    assert max(pages) == PAGE
    assert "page page" not in " ".join(turns[: turns.index("page") + 5])
