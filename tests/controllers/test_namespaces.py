"""What every namespace gets, and how one goes away."""

from __future__ import annotations

from tests.controllers.fake_bench import running
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.controllers.config import ControllerConfig
from wherry.controllers.namespace import Namespaces, Remains, plan_conditions
from wherry.controllers.root_ca import RootCa
from wherry.controllers.service_account import ServiceAccounts
from wherry.kit.clock import FakeClock
from wherry.objects.meta import Object

SHOP: Object = {"metadata": {"name": "shop"}, "spec": {"finalizers": ["kubernetes"]}}
GOING: Object = {
    "metadata": {"name": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x"]},
    "spec": {"finalizers": ["kubernetes"]},
    "status": {"phase": "Terminating"},
}


async def test_every_namespace_has_a_default_account_for_ever() -> None:
    async with running(ServiceAccounts, before=[(NAMESPACES, SHOP)]) as bench:
        assert await bench.get(SERVICE_ACCOUNTS, "default", "shop")
        await bench.client.delete(SERVICE_ACCOUNTS, "default", "shop")
        await bench.settle()
        assert await bench.get(SERVICE_ACCOUNTS, "default", "shop")


async def test_a_namespace_that_goes_gets_nothing() -> None:
    config = ControllerConfig(cluster_ca_pem="PEM")
    async with running(ServiceAccounts, RootCa, config=config, before=[(NAMESPACES, GOING)]) as bench:
        assert await bench.all(SERVICE_ACCOUNTS) == []
        assert await bench.all(CONFIG_MAPS) == []


async def test_every_namespace_has_the_certificate_authority() -> None:
    config = ControllerConfig(cluster_ca_pem="PEM")
    async with running(RootCa, config=config, before=[(NAMESPACES, SHOP)]) as bench:
        assert (await bench.get(CONFIG_MAPS, "kube-root-ca.crt", "shop"))["data"] == {"ca.crt": "PEM"}
        change = {"data": {"ca.crt": "forged", "more": "x"}}
        await bench.client.patch(CONFIG_MAPS, "kube-root-ca.crt", "shop", change)
        await bench.settle()
        assert (await bench.get(CONFIG_MAPS, "kube-root-ca.crt", "shop"))["data"] == {"ca.crt": "PEM"}


async def test_a_namespace_goes_when_its_last_pod_is_gone() -> None:
    pod: Object = {"metadata": {"name": "p", "namespace": "shop", "finalizers": ["test/hold"]}, "spec": {}}
    table: Object = {"metadata": {"name": "c", "namespace": "shop"}}
    other: Object = {"metadata": {"name": "c", "namespace": "other"}}
    before = [(NAMESPACES, GOING), (PODS, pod), (CONFIG_MAPS, table), (CONFIG_MAPS, other)]
    async with running(Namespaces, before=before) as bench:
        assert len(await bench.all(CONFIG_MAPS)) == 2, "pods go first"
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
        assert await bench.all(NAMESPACES) == []
        assert [c["metadata"]["namespace"] for c in await bench.all(CONFIG_MAPS)] == ["other"]


def test_an_empty_namespace_says_so() -> None:
    conditions = plan_conditions([], Remains(), FakeClock().now())
    assert {(c["type"], c["status"], c["reason"]) for c in conditions} == {
        ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered"),
        ("NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions"),
        ("NamespaceDeletionContentFailure", "False", "ContentDeleted"),
        ("NamespaceContentRemaining", "False", "ContentRemoved"),
        ("NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers"),
    }
