"""Each part of a claim's status is written by those it belongs to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.apiserver.rig import ALICE, Rig, running
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.apiserver.admission.claim_status import allocated_node, changed_drivers
from wherry.apiserver.authentication.service_accounts import NODE_NAME
from wherry.apiserver.user import User, service_account_user
from wherry.cluster.assembly import controller_user
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

RBAC = "rbac.authorization.k8s.io"
ON_N1 = {
    "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]
}
RESULT = {"request": "r", "driver": "d.example", "pool": "n1", "device": "a"}
ALLOCATION = {"devices": {"results": [RESULT]}, "nodeSelector": ON_N1}
TOLD = {"driver": "d.example", "pool": "n1", "device": "a", "data": {"serial": 1}}
USERS = [{"resource": "pods", "name": "p", "uid": "u"}]
SCHEDULER = User("system:kube-scheduler", ("system:authenticated",))


def driver_on(node: str) -> User:
    """The driver's account by a token for a pod on a node."""
    return service_account_user("default", "driver", extra={NODE_NAME: (node,)} if node else None)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A server with a claim, and with two who may write a claim's status and no more."""
    async with running(FakeClock(), listens=False) as rig:
        one = {"name": "r", "exactly": {"deviceClassName": "gpu"}}
        spec = {"devices": {"requests": [one]}}
        await rig.admin.create(
            RESOURCE_CLAIMS, {"metadata": {"name": "c", "namespace": "default"}, "spec": spec}
        )
        await may(rig, "status", ["get", "update", "patch"], ALICE, driver_on(""))
        yield rig


async def may(
    rig: Rig, subresource: str, verbs: list[str], *users: User, names: tuple[str, ...] = ()
) -> None:
    """Let users do something to a subresource of claims."""
    rule: Object = {"verbs": verbs, "apiGroups": ["resource.k8s.io"]}
    rule["resources"] = [f"resourceclaims/{subresource}"]
    if names:
        rule["resourceNames"] = list(names)
    role = await rig.admin.create(CLUSTER_ROLES, {"metadata": {"generateName": "r-"}, "rules": [rule]})
    subjects = [{"kind": "User", "apiGroup": RBAC, "name": user.name} for user in users]
    ref = {"kind": "ClusterRole", "apiGroup": RBAC, "name": role["metadata"]["name"]}
    bound = {"metadata": {"generateName": "b-"}, "roleRef": ref, "subjects": subjects}
    await rig.admin.create(CLUSTER_ROLE_BINDINGS, bound)


async def write(rig: Rig, user: User, **status: Any) -> Object:
    """Merge `status` into the claim's, as `user`."""
    return await rig.client(user).patch(
        RESOURCE_CLAIMS, "c", "default", {"status": status}, subresource="status"
    )


@pytest.mark.parametrize(
    "part", [{"allocation": ALLOCATION}, {"reservedFor": USERS, "allocation": ALLOCATION}]
)
async def test_devices_and_users_are_given_by_who_may_bind(rig: Rig, part: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        await write(rig, ALICE, **part)
    assert caught.value.code == 422
    assert caught.value.message == (
        'ResourceClaim.resource.k8s.io "c" is invalid: status: Forbidden: changing status.allocation or '
        'status.reservedFor requires resource="resourceclaims/binding", verb="patch" permission: '
        'resourceclaims.resource.k8s.io is forbidden: User "alice" cannot patch resource '
        '"resourceclaims/binding" in API group "resource.k8s.io" at the cluster scope'
    )
    await may(rig, "binding", ["patch"], ALICE)
    written = await write(rig, ALICE, **part)
    assert written["status"] == part
    with pytest.raises(ApiError, match='verb="update" permission'):
        await rig.client(ALICE).update_status(RESOURCE_CLAIMS, {**written, "status": {}})


async def test_scheduler_and_claim_controller_may_and_a_driver_that_may_not_harms_nothing(rig: Rig) -> None:
    assert (await write(rig, SCHEDULER, allocation=ALLOCATION, reservedFor=USERS))["status"]["allocation"]
    await rig.admin.patch(
        RESOURCE_CLAIMS, "c", "default", {"status": {"devices": [TOLD]}}, subresource="status"
    )
    with pytest.raises(ApiError, match="resourceclaims/binding"):
        await write(rig, driver_on("n1"), reservedFor=None)
    controller = controller_user("resource-claim-controller")
    assert (await write(rig, controller, reservedFor=None))["status"]["devices"] == [TOLD]
    freed = await write(rig, controller, allocation=None)
    assert not freed.get("status"), "what was told of a device goes with it, and takes no right of its driver"


async def test_how_devices_are_is_told_by_their_driver_on_their_node(rig: Rig) -> None:
    both = {**ALLOCATION, "devices": {"results": [RESULT, {**RESULT, "driver": "e.example"}]}}
    await write(rig, SCHEDULER, allocation=both)
    await may(rig, "driver", ["associated-node:patch"], driver_on(""), names=("d.example",))
    arbitrary = r'requires resource="resourceclaims/driver", verb="\[arbitrary-node:patch\]" permission'
    for user in (ALICE, driver_on("n2"), driver_on("")):
        with pytest.raises(ApiError, match=arbitrary) as caught:
            await write(rig, user, devices=[TOLD])
        assert caught.value.code == 422
    assert (await write(rig, driver_on("n1"), devices=[TOLD]))["status"]["devices"] == [TOLD]
    with pytest.raises(ApiError, match=arbitrary):
        await write(rig, driver_on(""), devices=None)
    with pytest.raises(ApiError) as caught:
        await write(rig, driver_on("n1"), devices=[TOLD, {**TOLD, "driver": "e.example"}])
    assert 'verb="[associated-node:patch arbitrary-node:patch]"' in caught.value.message
    assert 'resourceclaims.resource.k8s.io "e.example" is forbidden' in caught.value.message
    await may(rig, "driver", ["arbitrary-node:patch"], ALICE)
    assert not (await write(rig, ALICE, devices=None))["status"].get("devices")


@pytest.mark.parametrize(
    ("new", "old", "drivers"),
    [
        ({"devices": [TOLD]}, {"devices": [TOLD]}, []),
        ({"devices": [TOLD]}, {}, ["d.example"]),
        ({}, {"devices": [TOLD]}, ["d.example"]),
        ({"devices": [{**TOLD, "data": {}}]}, {"devices": [TOLD]}, ["d.example"]),
        (
            {"devices": [{**TOLD, "driver": "e"}, {**TOLD, "shareID": "s"}]},
            {"devices": [TOLD]},
            ["d.example", "e"],
        ),
        ({}, {"devices": [TOLD], "allocation": ALLOCATION}, []),
        ({"allocation": ALLOCATION}, {"devices": [TOLD], "allocation": ALLOCATION}, ["d.example"]),
    ],
)
def test_whose_devices_are_told_of(new: Object, old: Object, drivers: list[str]) -> None:
    assert changed_drivers(new, old) == drivers


@pytest.mark.parametrize(
    ("term", "node"),
    [
        ({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}, "n1"),
        ({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1", "n2"]}]}, ""),
        ({"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}]}, ""),
        ({"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}]}, ""),
        ({}, ""),
    ],
)
def test_the_node_of_an_allocation(term: Object, node: str) -> None:
    assert allocated_node({"nodeSelector": {"nodeSelectorTerms": [term]}}) == node
    assert allocated_node({"nodeSelector": {"nodeSelectorTerms": [term, term]}}) == ""
    assert allocated_node({}) == ""


async def test_admin_access_is_given_in_marked_namespaces_only(rig: Rig) -> None:
    admin = {"devices": {"results": [RESULT, {**RESULT, "device": "b", "adminAccess": True}]}}
    with pytest.raises(ApiError) as caught:
        await write(rig, SCHEDULER, allocation=admin)
    assert caught.value.code == 422
    assert (
        "status.allocation.devices.results[1].adminAccess: Forbidden: admin access to devices requires"
        in (caught.value.message)
    )
    labels = {"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}}
    await rig.admin.patch(NAMESPACES, "default", "", labels)
    await write(rig, SCHEDULER, allocation=admin)
    await rig.admin.patch(NAMESPACES, "default", "", {"metadata": {"labels": None}})
    assert await write(rig, SCHEDULER, reservedFor=USERS), "what was granted stays"
