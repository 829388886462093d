"""Deletion: grace, finalizers, propagation, preconditions, collections."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, config_map, pod
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.options import DeleteOptions
from wherry.apiserver.verbs.delete import plan_deletion
from wherry.apiserver.verbs.delete_collection import CONCURRENT_DELETIONS
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.store.base import StoreError

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def scheduled(**meta: Any) -> Object:
    return {
        "kind": "Pod",
        "metadata": {"name": "p", "generation": 1, **meta},
        "spec": {"nodeName": "n", "terminationGracePeriodSeconds": 30},
    }


@pytest.mark.parametrize(
    ("obj", "options", "removes", "meta"),
    [
        (scheduled(), DeleteOptions(), False,
         {"deletionTimestamp": "2026-01-01T12:00:30Z", "deletionGracePeriodSeconds": 30, "generation": 2}),
        (scheduled(), DeleteOptions(grace_period_s=0), True, None),
        (scheduled(), DeleteOptions(grace_period_s=5), False,
         {"deletionTimestamp": "2026-01-01T12:00:05Z", "deletionGracePeriodSeconds": 5, "generation": 2}),
        (scheduled(finalizers=["x"]), DeleteOptions(grace_period_s=0), False,
         {"deletionTimestamp": "2026-01-01T12:00:00Z", "deletionGracePeriodSeconds": 0, "generation": 2,
          "finalizers": ["x"]}),
        (scheduled(), DeleteOptions(grace_period_s=0, propagation="Foreground"), False,
         {"deletionTimestamp": "2026-01-01T12:00:00Z", "deletionGracePeriodSeconds": 0, "generation": 2,
          "finalizers": ["foregroundDeletion"]}),
        (scheduled(finalizers=["orphan"]), DeleteOptions(grace_period_s=0, propagation="Background"),
         True, None),
        (scheduled(deletionTimestamp="2026-01-01T12:00:30Z", deletionGracePeriodSeconds=30),
         DeleteOptions(), False, None),
        (scheduled(deletionTimestamp="2026-01-01T12:00:30Z", deletionGracePeriodSeconds=30),
         DeleteOptions(grace_period_s=60), False, None),
        (scheduled(deletionTimestamp="2026-01-01T12:00:30Z", deletionGracePeriodSeconds=30),
         DeleteOptions(grace_period_s=10), False,
         {"deletionTimestamp": "2026-01-01T12:00:10Z", "deletionGracePeriodSeconds": 10, "generation": 1}),
        (scheduled(deletionTimestamp="2026-01-01T12:00:30Z", deletionGracePeriodSeconds=30),
         DeleteOptions(grace_period_s=0), True, None),
    ],
)  # fmt: skip
def test_plan(obj: Object, options: DeleteOptions, removes: bool, meta: Object | None) -> None:
    plan = plan_deletion(obj, options, PODS.strategy, NOW)
    assert plan.removes is removes
    if meta is None:
        assert plan.changed is None
    else:
        assert plan.changed is not None
        assert plan.changed["metadata"] == {"name": "p", **meta}


async def test_deletion_answers_a_status(rig: Rig) -> None:
    made = await rig.admin.create(CONFIG_MAPS, config_map("a"))
    answer = await rig.admin.delete(CONFIG_MAPS, "a", "default")
    assert answer["status"] == "Success"
    assert answer["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    with pytest.raises(ApiError, match="not found"):
        await rig.admin.get(CONFIG_MAPS, "a", "default")


async def test_a_finalizer_holds_the_object_until_it_is_gone(rig: Rig) -> None:
    sent = config_map("a")
    sent["metadata"]["finalizers"] = ["example.com/wait"]
    await rig.admin.create(CONFIG_MAPS, sent)
    deleting = await rig.admin.delete(CONFIG_MAPS, "a", "default")
    assert deleting["metadata"]["deletionTimestamp"]
    with pytest.raises(ApiError, match="object is being deleted"):
        await rig.admin.create(CONFIG_MAPS, config_map("a"))
    await rig.admin.patch(CONFIG_MAPS, "a", "default", {"metadata": {"finalizers": None}})
    with pytest.raises(ApiError, match="not found"):
        await rig.admin.get(CONFIG_MAPS, "a", "default")


@pytest.mark.parametrize(
    "precondition", [{"uid": "another"}, {"resource_version": "1"}], ids=["uid", "version"]
)
async def test_preconditions(rig: Rig, precondition: dict[str, str]) -> None:
    await rig.admin.create(CONFIG_MAPS, config_map("a"))
    with pytest.raises(ApiError, match="in the precondition") as caught:
        await rig.admin.delete(CONFIG_MAPS, "a", "default", **precondition)  # type: ignore[arg-type]
    assert caught.value.code == 409


async def test_a_scheduled_pod_lingers_until_the_kubelet_is_done(rig: Rig) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    await rig.admin.create(PODS, pod("p", nodeName="n"))
    lingering = await rig.admin.delete(PODS, "p", "default")
    assert lingering["metadata"]["deletionGracePeriodSeconds"] == 30
    again = await rig.admin.delete(PODS, "p", "default")
    assert again["metadata"]["resourceVersion"] == lingering["metadata"]["resourceVersion"]
    gone = await rig.admin.delete(PODS, "p", "default", grace_period_s=0)
    assert gone["kind"] == "Pod"
    with pytest.raises(ApiError, match="not found"):
        await rig.admin.get(PODS, "p", "default")


async def test_a_namespace_goes_when_finalized(rig: Rig) -> None:
    await rig.admin.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}})
    deleting = await rig.admin.delete(NAMESPACES, "a")
    assert deleting["status"]["phase"] == "Terminating"
    with pytest.raises(ApiError, match="because it is being terminated") as caught:
        await rig.admin.create(CONFIG_MAPS, config_map("x", "a"))
    assert caught.value.code == 403
    assert caught.value.details["causes"][0]["reason"] == "NamespaceTerminating"
    deleting["spec"] = {}
    await rig.admin.update(NAMESPACES, deleting, "finalize")
    with pytest.raises(ApiError, match='namespaces "a" not found'):
        await rig.admin.get(NAMESPACES, "a")


async def test_default_cannot_be_deleted(rig: Rig) -> None:
    with pytest.raises(ApiError, match="this namespace may not be deleted"):
        await rig.admin.delete(NAMESPACES, "default")


async def test_delete_collection_keeps_what_does_not_match(rig: Rig) -> None:
    for name in ("a", "b", "c"):
        sent = config_map(name)
        sent["metadata"]["labels"] = {"keep": "yes" if name == "c" else "no"}
        await rig.admin.create(CONFIG_MAPS, sent)
    path = "/api/v1/namespaces/default/configmaps?labelSelector=keep%3Dno"
    status, answer, _ = await rig.http("DELETE", path)
    assert status == 200
    assert [item["metadata"]["name"] for item in answer["items"]] == ["a", "b"]
    left = await rig.admin.list(CONFIG_MAPS, "default")
    assert [item["metadata"]["name"] for item in left.items] == ["c"]


async def test_a_collection_is_left_alone_after_the_first_refusal(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(80):
        await rig.admin.create(CONFIG_MAPS, config_map(f"m{number:02}"))
    delete = rig.store.delete

    async def failing(key: str, *, expected: int) -> Any:
        await asyncio.sleep(0)
        if key.endswith("/m05"):
            raise StoreError("the disk is full")
        return await delete(key, expected=expected)

    monkeypatch.setattr(rig.store, "delete", failing)
    status, _, _ = await rig.http("DELETE", "/api/v1/namespaces/default/configmaps")
    assert status == 503
    await asyncio.sleep(0.02)
    assert len((await rig.admin.list(CONFIG_MAPS, "default")).items) > 80 - 2 * CONCURRENT_DELETIONS
