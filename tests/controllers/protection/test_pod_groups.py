"""PodGroups outlive their deletion as long as pods need them."""

from __future__ import annotations

import pytest

from tests.controllers import samples
from tests.controllers.bench import running
from wherry.api.core.pods import PODS
from wherry.api.scheduling.pod_groups import FINALIZER, POD_GROUPS
from wherry.controllers.protection.pod_groups import PodGroupProtection
from wherry.objects.meta import Object
from wherry.testing import Cluster

GROUP: Object = {
    "metadata": {"name": "g", "namespace": "default"},
    "spec": {"schedulingPolicy": {"gang": {"minCount": 1}}},
}


def member(name: str) -> Object:
    return samples.pod(name, spec={"schedulingGroup": {"podGroupName": "g"}, "nodeName": "n"})


@pytest.mark.parametrize("ends", [True, False])
async def test_a_group_goes_when_its_last_pod_has_ended_or_is_gone(ends: bool) -> None:
    async with running(PodGroupProtection, before=[(POD_GROUPS, GROUP), (PODS, member("p"))]) as bench:
        await bench.client.delete(POD_GROUPS, "g", "default")
        await bench.settle()
        held = await bench.get(POD_GROUPS, "g")
        assert held["metadata"]["finalizers"] == [FINALIZER]
        if ends:
            await bench.set_status(PODS, await bench.get(PODS, "p"), phase="Failed")
        else:
            await bench.client.delete(PODS, "p", "default", grace_period_s=0)
        await bench.settle()
        assert await bench.all(POD_GROUPS) == []


async def test_a_group_without_pods_goes_at_once() -> None:
    async with running(PodGroupProtection) as bench:
        await bench.create(POD_GROUPS, GROUP)
        await bench.create(PODS, samples.pod("other", spec={"schedulingGroup": {"podGroupName": "h"}}))
        await bench.client.delete(POD_GROUPS, "g", "default")
        await bench.settle()
        assert await bench.all(POD_GROUPS) == []


def test_where_beta_versions_are_not_served_everybody_else_works() -> None:
    with Cluster(nodes=1, runtime_config={"api/beta": False}) as c:
        c.apply({"apiVersion": "v1", "kind": "Pod", **samples.pod("p", spec={})})
        c.wait("pod/p", "Ready")
