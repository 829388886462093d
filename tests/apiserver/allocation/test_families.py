"""Services of two IP families: what they are given where the cluster has both, and told where it has not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.allocation.services import create, given
from tests.apiserver.rig import running
from wherry.api.core.services import SERVICES
from wherry.api.networking.ip_addresses import IP_ADDRESSES
from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.apiserver.allocation.families import fill_families
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

BOTH = "10.96.0.0/16,fd00:96::/108"
DUAL = {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"]}


async def test_a_service_has_one_of_each() -> None:
    async with running(service_cidr=BOTH, from_nothing=True, listens=False) as rig:
        single = await create(rig.admin, "single")
        assert (single["ipFamilyPolicy"], single["ipFamilies"]) == ("SingleStack", ["IPv4"])
        both = await create(rig.admin, "both", ipFamilyPolicy="PreferDualStack")
        assert both["ipFamilies"] == ["IPv4", "IPv6"]
        first, second = both["clusterIPs"]
        assert (first, first[:6], second[:7]) == (both["clusterIP"], "10.96.", "fd00:96")
        label = (await rig.admin.get(IP_ADDRESSES, second))["metadata"]["labels"]
        assert label["ipaddress.kubernetes.io/ip-family"] == "IPv6"
        six = await create(rig.admin, "six", ipFamilies=["IPv6"], clusterIP="fd00:96::5")
        assert six["clusterIPs"] == ["fd00:96::5"]
        narrow = {"spec": {"ipFamilyPolicy": "SingleStack"}}
        narrowed = (await rig.admin.patch(SERVICES, "both", "default", narrow))["spec"]
        assert (narrowed["clusterIPs"], narrowed["ipFamilies"]) == ([first], ["IPv4"])
        assert await given(rig.admin) == {
            single["clusterIP"]: "single",
            first: "both",
            "fd00:96::5": "six",
        }
        wide = {"spec": {"ipFamilyPolicy": "RequireDualStack"}}
        widened = (await rig.admin.patch(SERVICES, "single", "default", wide))["spec"]
        assert len(widened["clusterIPs"]) == 2
        assert (await given(rig.admin))[widened["clusterIPs"][1]] == "single"
        assert (await rig.admin.get(SERVICE_CIDRS, "kubernetes"))["spec"]["cidrs"] == BOTH.split(",")


async def test_a_status_is_written_whatever_the_families_are_now() -> None:
    """The cluster had both when the Service was made."""
    async with running(service_cidr=BOTH, from_nothing=True, listens=False) as rig:
        both = await create(rig.admin, "both", ipFamilyPolicy="RequireDualStack", type="LoadBalancer")
        async with running(store=rig.store, listens=False) as later:
            found = await later.admin.get(SERVICES, "both", "default")
            status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
            written = await later.admin.update_status(SERVICES, {**found, "status": status})
            assert (written["spec"]["clusterIPs"], written["status"]) == (
                both["clusterIPs"],
                {**status, **written["status"]},
            )
            await later.admin.delete(SERVICES, "both", "default")
            assert await given(later.admin) == {}


async def test_a_cluster_of_one_family_says_so() -> None:
    async with running(listens=False) as rig:
        assert (await create(rig.admin, "a", ipFamilyPolicy="PreferDualStack"))["ipFamilies"] == ["IPv4"]
        asked: list[tuple[Object, str]] = [
            (
                {"ipFamilyPolicy": "RequireDualStack"},
                "this cluster is not configured for dual-stack services",
            ),
            (
                {"ipFamilies": ["IPv6"]},
                'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
            ),
            ({"clusterIP": "fd00::1"}, "IPv6 is not configured on this cluster"),
            (
                {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4", "IPv6"]},
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
            ),
        ]
        for spec, why in asked:
            with pytest.raises(ApiError) as told:
                await create(rig.admin, "b", **spec)
            assert (told.value.code, why in told.value.message) == (422, True), told.value.message
        free = await create(rig.admin, "free", clusterIP="None")
        assert (free["ipFamilyPolicy"], free["ipFamilies"]) == ("RequireDualStack", ["IPv4", "IPv6"])
        chosen = await create(rig.admin, "chosen", clusterIP="None", selector={"a": "b"})
        assert (chosen["ipFamilyPolicy"], chosen["ipFamilies"]) == ("SingleStack", ["IPv4"])


@pytest.mark.parametrize(
    ("spec", "before", "families", "wanted"),
    [
        # One that prefers both keeps what it has when the cluster's families change.
        (
            {"clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "PreferDualStack"},
            "same",
            2,
            1,
        ),
        ({"clusterIPs": ["10.0.0.1", "fd00::1"], **DUAL}, "same", 1, 2),
        (
            {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilyPolicy": "RequireDualStack"},
            None,
            2,
            2,
        ),
    ],
)
def test_filling(spec: dict[str, Any], before: Any, families: int, wanted: int) -> None:
    stored = {"type": "ClusterIP", **spec} if before == "same" else None
    new = {"type": "ClusterIP", **spec}
    assert fill_families(new, stored, ["IPv4", "IPv6"][:families]) == []
    assert len(new["ipFamilies"]) == wanted


def test_a_second_family_goes_only_when_asked() -> None:
    before = {"type": "ClusterIP", "clusterIPs": ["10.0.0.1", "fd00::1"], **DUAL}
    new = {**before, "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]}
    said = [str(error) for error in fill_families(new, before, ["IPv4", "IPv6"])]
    assert [text.partition(": ")[0] for text in said] == ["spec.ipFamilyPolicy"] * 2
    assert "must be 'SingleStack' to release the secondary cluster IP" in said[0]
