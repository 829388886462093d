"""Admission: what pods get and what is refused."""

from __future__ import annotations

import asyncio
import copy
import random
from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, pod
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.scheduling.priority_classes import PRIORITY_CLASSES
from wherry.apiserver.admission.catalog import built_in_plugins
from wherry.apiserver.admission.default_toleration_seconds import NOT_READY, UNREACHABLE
from wherry.apiserver.admission.metrics import WebhookMetrics
from wherry.apiserver.admission.service_account import MOUNT_PATH, mount_token
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object


@pytest.fixture
async def ready(rig: Rig) -> Rig:
    """A server whose default namespace has its service account."""
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    return rig


async def test_a_pod_gets_account_token_tolerations_and_priority(ready: Rig) -> None:
    spec = (await ready.admin.create(PODS, pod("p")))["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    (mount,) = spec["containers"][0]["volumeMounts"]
    assert mount["mountPath"] == MOUNT_PATH
    (volume,) = spec["volumes"]
    assert volume["name"] == mount["name"]
    assert volume["name"].startswith("kube-api-access-")
    kinds = [next(iter(source)) for source in volume["projected"]["sources"]]
    assert kinds == ["serviceAccountToken", "configMap", "downwardAPI"]
    assert [item["key"] for item in spec["tolerations"]] == [NOT_READY, UNREACHABLE]
    assert {item["tolerationSeconds"] for item in spec["tolerations"]} == {300}
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")


async def test_what_admission_added_may_be_left_out_of_updates(ready: Rig) -> None:
    made = await ready.admin.create(PODS, pod("p"))
    sparse = copy.deepcopy(made)
    for field in ("tolerations", "priority", "preemptionPolicy"):
        del sparse["spec"][field]
    updated = await ready.admin.update(PODS, sparse)
    assert updated["spec"] == made["spec"]
    assert updated["metadata"]["generation"] == made["metadata"]["generation"]


async def test_what_admission_adds_has_no_owner(ready: Rig) -> None:
    made = await ready.admin.create(PODS, pod("p"))
    owned = made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    assert "f:volumes" not in owned
    assert "f:tolerations" not in owned


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"serviceAccountName": "none"},
         ('pods "p" is forbidden: error looking up service account default/none: '
          'serviceaccount "none" not found')),
        ({"priorityClassName": "none"}, 'pods "p" is forbidden: no PriorityClass with name none was found'),
        ({"preemptionPolicy": "Never"},
         ('pods "p" is forbidden: the string value of PreemptionPolicy (Never) must not be provided in pod '
          "spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass "
          "name")),
        ({"priority": 7},
         ('pods "p" is forbidden: the integer value of priority (7) must not be provided in pod spec; '
          "priority admission controller computed 0 from the given PriorityClass name")),
    ],
)  # fmt: skip
async def test_refused_pods(ready: Rig, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as caught:
        await ready.admin.create(PODS, pod("p", **spec))
    assert (caught.value.code, caught.value.message) == (403, message)


async def test_a_pod_waits_for_the_account_of_its_new_namespace(rig: Rig) -> None:
    creating = asyncio.ensure_future(rig.admin.create(PODS, pod("p")))
    await asyncio.sleep(0)
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    assert (await creating)["spec"]["serviceAccountName"] == "default"


async def test_priority_classes_resolve_and_only_one_is_the_default(ready: Rig) -> None:
    spec = (await ready.admin.create(PODS, pod("a", priorityClassName="system-node-critical")))["spec"]
    assert spec["priority"] == 2000001000
    made = {"metadata": {"name": "usual"}, "value": 10, "globalDefault": True}
    await ready.admin.create(PRIORITY_CLASSES, made)
    spec = (await ready.admin.create(PODS, pod("b")))["spec"]
    assert (spec["priorityClassName"], spec["priority"]) == ("usual", 10)
    with pytest.raises(ApiError, match="Only one default can exist"):
        await ready.admin.create(PRIORITY_CLASSES, {**made, "metadata": {"name": "another"}})


@pytest.mark.parametrize(
    ("spec", "mounts"),
    [
        ({"containers": [{"name": "a"}]}, 1),
        ({"containers": [{"name": "a"}], "initContainers": [{"name": "b"}]}, 2),
        ({"containers": [{"name": "a", "volumeMounts": [{"name": "own", "mountPath": MOUNT_PATH}]}]}, 0),
    ],
)
def test_mounting(spec: Object, mounts: int) -> None:
    mount_token(spec, random.Random(1))
    containers = [*spec["containers"], *spec.get("initContainers", [])]
    found = [
        m
        for c in containers
        for m in c.get("volumeMounts", [])
        if m["name"].startswith("kube-api-access-") and m["readOnly"]
    ]
    assert len(found) == mounts
    assert len(spec.get("volumes", [])) == min(mounts, 1)


@pytest.mark.parametrize("where", ["pod", "account"])
async def test_tokens_can_be_declined(rig: Rig, where: str) -> None:
    await rig.admin.create(
        SERVICE_ACCOUNTS, {**account(), "automountServiceAccountToken": where != "account"}
    )
    spec: dict[str, Any] = {"automountServiceAccountToken": False} if where == "pod" else {}
    made = await rig.admin.create(PODS, pod("p", **spec))
    assert "volumes" not in made["spec"]


def test_plugins_have_names_of_their_own() -> None:
    names = [plugin.name for plugin in built_in_plugins(WebhookMetrics())]
    assert all(names)
    assert len(set(names)) == len(names)
