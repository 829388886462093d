"""The ServiceCIDR `kubernetes` says the server's own range, whoever deletes it; another range is told of."""

from __future__ import annotations

from typing import Any

from tests.apiserver.rig import Rig, api_server, running
from tests.conftest import eventually
from wherry.api.core.events import EVENTS
from wherry.api.core.services import SERVICES
from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError


async def found(rig: Rig) -> dict[str, Any]:
    return await rig.admin.get(SERVICE_CIDRS, "kubernetes")


async def test_it_is_made_and_ready() -> None:
    async with running(from_nothing=True, service_cidr="10.7.0.0/20") as rig:
        made = await found(rig)
        assert made["spec"] == {"cidrs": ["10.7.0.0/20"]}

        async def is_ready() -> bool:
            return bool((await found(rig)).get("status"))

        await eventually(is_ready)
        (condition,) = (await found(rig))["status"]["conditions"]
        assert condition.pop("lastTransitionTime")
        message = "Kubernetes default Service CIDR is ready"
        assert condition == {"type": "Ready", "status": "True", "reason": "", "message": message}


async def test_it_comes_back() -> None:
    async with running() as rig:
        before = (await found(rig))["metadata"]["uid"]
        await rig.admin.delete(SERVICE_CIDRS, "kubernetes")

        async def is_back() -> bool:
            try:
                made = await found(rig)
            except ApiError:
                return False
            return made["metadata"]["uid"] != before and bool(made.get("status"))

        await eventually(is_back)


async def test_a_server_starts_though_its_own_address_is_of_no_range() -> None:
    """And has its Service as soon as there is one."""
    clock = FakeClock()
    async with running(clock, listens=False) as rig:
        await rig.admin.delete(SERVICES, "kubernetes", "default")
        store = rig.store.copy(clock)
    for entry in (await store.list("/registry/services/specs/default/kubernetes")).entries:
        await store.delete(entry.key, expected=entry.revision)
    async with running(clock, store=store, service_cidr="10.8.0.0/20", listens=False) as rig:
        assert (await rig.admin.list(SERVICES)).items == []
        kind = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR"}
        await rig.admin.create(
            SERVICE_CIDRS, {**kind, "metadata": {"name": "b"}, "spec": {"cidrs": ["10.8.0.0/24"]}}
        )
        await clock.advance(60)

        async def is_there() -> bool:
            return [one["spec"]["clusterIP"] for one in (await rig.admin.list(SERVICES)).items] == [
                "10.8.0.1"
            ]

        await eventually(is_there)


async def test_a_second_family_is_added() -> None:
    async with running(listens=False) as rig:
        other = api_server(rig.store, FakeClock(), service_cidr="10.96.0.0/16,fd00:96::/108")
        await other.start(listens=False)

        async def is_added() -> bool:
            return bool((await found(rig))["spec"]["cidrs"] == ["10.96.0.0/16", "fd00:96::/108"])

        await eventually(is_added)
        await other.close()


async def test_one_of_another_range_stays_and_is_told_of_once() -> None:
    async with running(FakeClock()) as rig:
        other = api_server(rig.store, FakeClock(), service_cidr="10.8.0.0/20")
        await other.start(listens=False)

        async def told() -> list[str]:
            events = (await rig.admin.list(EVENTS)).items
            return [one["message"] for one in events if one["involvedObject"]["kind"] == "ServiceCIDR"]

        async def is_told() -> bool:
            return bool(await told())

        await eventually(is_told)
        labels = {"metadata": {"labels": {"touched": "yes"}}}
        await rig.admin.patch(SERVICE_CIDRS, "kubernetes", "", labels)
        (line,) = await told()
        says = "The default ServiceCIDR [10.96.0.0/16] does not match the controller flag configurations"
        assert line == f"{says} [10.8.0.0/20]"
        assert (await found(rig))["spec"] == {"cidrs": ["10.96.0.0/16"]}
        await other.close()
