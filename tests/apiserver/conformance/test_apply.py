"""Server-side apply: who owns what, conflicts, giving up, lists, and how ownership is reset or moved."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apiserver.conformance.asking import (
    APPLY,
    DEPLOYMENTS,
    MAPS,
    MERGE_PATCH,
    deployment,
    failure,
)
from tests.apiserver.rig import Rig, config_map
from wherry.api.core.config_maps import CONFIG_MAPS

WEB = f"{DEPLOYMENTS}/web"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


async def apply(
    rig: Rig, path: str, body: Any, manager: str = "m", *, force: bool = False, query: str = ""
) -> tuple[int, Any]:
    """Status and answer of an apply."""
    asked = f"{path}?fieldManager={manager}{'&force=true' if force else ''}{query}"
    status, answer, _ = await rig.http("PATCH", asked, body, headers={"Content-Type": APPLY})
    return status, answer


def owned(answer: Any) -> dict[str, Any]:
    """fieldsV1 by manager (and subresource)."""
    return {
        "/".join(part for part in (e["manager"], e.get("subresource", "")) if part): e["fieldsV1"]
        for e in answer["metadata"]["managedFields"]
    }


def maps(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def replicas(number: int | None) -> dict[str, Any]:
    spec = {} if number is None else {"replicas": number}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


async def test_the_entry_of_an_applier(rig: Rig) -> None:
    status, answer = await apply(rig, f"{MAPS}/a", maps(x="1"))
    assert status == 201
    (entry,) = answer["metadata"]["managedFields"]
    time = entry.pop("time")
    assert time == answer["metadata"]["creationTimestamp"]
    assert entry == {
        "manager": "m",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:x": {}}},
    }


async def test_one_conflict_and_several(rig: Rig) -> None:
    await apply(rig, f"{MAPS}/a", maps(x="1", y="1"), "first")
    status, answer = await apply(rig, f"{MAPS}/a", maps(x="2"), "second")
    assert status == 409
    assert failure(answer) == (
        409,
        "Conflict",
        'Apply failed with 1 conflict: conflict with "first": .data.x',
    )
    assert answer["details"] == {
        "causes": [{"reason": "FieldManagerConflict", "message": 'conflict with "first"', "field": ".data.x"}]
    }
    _, answer = await apply(rig, f"{MAPS}/a", maps(x="2", y="2"), "second")
    assert answer["message"] == (
        'Apply failed with 2 conflicts: conflicts with "first":\n- .data.x\n- .data.y'
    )


async def test_a_conflict_with_an_updater_names_its_version_and_time(rig: Rig) -> None:
    await rig.http("POST", f"{MAPS}?fieldManager=editor", config_map("a", x="1"))
    _, answer = await apply(rig, f"{MAPS}/a", maps(x="2"), "second")
    assert answer["message"] == ('Apply failed with 1 conflict: conflict with "editor" using v1: .data.x')


async def test_the_same_value_is_shared_without_conflict(rig: Rig) -> None:
    await apply(rig, f"{MAPS}/a", maps(x="1"), "first")
    status, answer = await apply(rig, f"{MAPS}/a", maps(x="1"), "second")
    assert status == 200
    assert owned(answer) == {"first": {"f:data": {"f:x": {}}}, "second": {"f:data": {"f:x": {}}}}


async def test_force_takes_the_field(rig: Rig) -> None:
    await apply(rig, f"{MAPS}/a", maps(x="1", y="1"), "first")
    status, answer = await apply(rig, f"{MAPS}/a", maps(x="2"), "second", force=True)
    assert (status, answer["data"]) == (200, {"x": "2", "y": "1"})
    assert owned(answer) == {"first": {"f:data": {"f:y": {}}}, "second": {"f:data": {"f:x": {}}}}


async def test_what_is_given_up_goes_unless_shared(rig: Rig) -> None:
    await apply(rig, f"{MAPS}/a", maps(x="1", y="1", z="1"), "first")
    await apply(rig, f"{MAPS}/a", maps(y="1"), "second")
    _, answer = await apply(rig, f"{MAPS}/a", maps(z="1"), "first")
    assert answer["data"] == {"y": "1", "z": "1"}


async def test_an_update_takes_fields_from_appliers(rig: Rig) -> None:
    await apply(rig, f"{MAPS}/a", maps(x="1", y="1"))
    _, answer, _ = await rig.http("PUT", f"{MAPS}/a?fieldManager=editor", config_map("a", x="2", y="1"))
    # A PUT that leaves managedFields out keeps them.
    assert owned(answer) == {"m": {"f:data": {"f:y": {}}}, "editor": {"f:data": {"f:x": {}}}}
    operations = {entry["manager"]: entry["operation"] for entry in answer["metadata"]["managedFields"]}
    assert operations == {"m": "Apply", "editor": "Update"}


@pytest.mark.parametrize("cleared", [[], [{}]])
async def test_managed_fields_can_be_reset(rig: Rig, cleared: list[Any]) -> None:
    await apply(rig, f"{MAPS}/a", maps(x="1"))
    body = {"metadata": {"managedFields": cleared}}
    status, answer, _ = await rig.http("PATCH", f"{MAPS}/a", body, headers={"Content-Type": MERGE_PATCH})
    assert status == 200
    assert "managedFields" not in answer["metadata"]
    _, answer = await apply(rig, f"{MAPS}/a", maps(x="1"))
    assert set(owned(answer)) == {"m", "before-first-apply"}


async def test_managed_fields_may_not_be_applied(rig: Rig) -> None:
    body = maps(x="1")
    body["metadata"]["managedFields"] = [{"manager": "m"}]
    _, answer = await apply(rig, f"{MAPS}/a", body)
    assert failure(answer) == (400, "BadRequest", "metadata.managedFields must be nil")


async def test_an_apply_without_change_keeps_version_and_times(rig: Rig) -> None:
    _, first = await apply(rig, f"{MAPS}/a", maps(x="1"))
    status, again = await apply(rig, f"{MAPS}/a", maps(x="1"))
    assert (status, again) == (200, first)


async def test_a_dry_run_of_an_apply(rig: Rig) -> None:
    status, answer = await apply(rig, f"{MAPS}/a", maps(x="1"), query="&dryRun=All")
    assert (status, answer["data"]) == (201, {"x": "1"})
    assert (await rig.http("GET", f"{MAPS}/a"))[0] == 404
    _, stored = await apply(rig, f"{MAPS}/a", maps(x="1"))
    status, answer = await apply(rig, f"{MAPS}/a", maps(x="2"), query="&dryRun=All")
    assert (status, answer["data"]) == (200, {"x": "2"})
    assert (await rig.http("GET", f"{MAPS}/a"))[1] == stored


async def test_a_stale_version_is_a_conflict(rig: Rig) -> None:
    await apply(rig, f"{MAPS}/a", maps(x="1"))
    body = maps(x="2")
    body["metadata"]["resourceVersion"] = "1"
    _, answer = await apply(rig, f"{MAPS}/a", body)
    assert failure(answer)[:2] == (409, "Conflict")
    assert "the object has been modified" in answer["message"]


async def test_list_items_are_owned_by_their_keys(rig: Rig) -> None:
    await apply(rig, WEB, {**deployment(), "metadata": {"name": "web"}}, "first")
    side = {"name": "side", "image": "s", "ports": [{"containerPort": 80}]}
    body = replicas(None)
    body["spec"] = {"template": {"spec": {"containers": [side]}}}
    status, answer = await apply(rig, WEB, body, "second")
    assert status == 200, answer
    containers = answer["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["nginx", "side"]
    fields = owned(answer)["second"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert fields == {
        'k:{"name":"side"}': {
            ".": {},
            "f:name": {},
            "f:image": {},
            "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
        }
    }
    body["spec"] = {}
    _, answer = await apply(rig, WEB, body, "second")
    assert [c["name"] for c in answer["spec"]["template"]["spec"]["containers"]] == ["nginx"]


async def test_sets_are_merged_and_atomics_replaced(rig: Rig) -> None:
    body = maps(x="1")
    body["metadata"]["finalizers"] = ["example.com/a"]
    await apply(rig, f"{MAPS}/a", body, "first")
    body["metadata"]["finalizers"] = ["example.com/b"]
    _, answer = await apply(rig, f"{MAPS}/a", body, "second")
    assert answer["metadata"]["finalizers"] == ["example.com/a", "example.com/b"]
    await apply(rig, WEB, deployment(), "first")
    other = replicas(None)
    other["spec"] = {"selector": {"matchLabels": {"app": "other"}}}
    _, refused = await apply(rig, WEB, other, "second")
    assert refused["message"] == ('Apply failed with 1 conflict: conflict with "first": .spec.selector')


async def test_a_subresource_has_its_own_entry(rig: Rig) -> None:
    await apply(rig, WEB, deployment())
    status = {**replicas(None), "status": {"observedGeneration": 1}}
    code, answer = await apply(rig, f"{WEB}/status", status, "controller")
    assert code == 200, answer
    assert owned(answer)["controller/status"] == {"f:status": {"f:observedGeneration": {}}}
    # Through the main resource status is nobody's, and stays as it is.
    _, answer = await apply(rig, WEB, {**deployment(), "status": {"observedGeneration": 7}})
    assert answer["status"]["observedGeneration"] == 1
    assert "f:status" not in owned(answer)["m"]


async def test_scale_moves_the_ownership_of_replicas(rig: Rig) -> None:
    await apply(rig, WEB, deployment(replicas=1))
    scale = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "web"},
        "spec": {"replicas": 5},
    }
    status, answer, _ = await rig.http("PUT", f"{WEB}/scale?fieldManager=scaler", scale)
    assert (status, answer["spec"]) == (200, {"replicas": 5})
    _, answer, _ = await rig.http("GET", WEB)
    assert owned(answer)["scaler/scale"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owned(answer)["m"]["f:spec"]
    _, answer = await apply(rig, WEB, deployment(replicas=1))
    assert answer["message"] == (
        'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: '
        ".spec.replicas"
    )


async def test_scale_can_be_applied(rig: Rig) -> None:
    await apply(rig, WEB, deployment(replicas=1), "first")
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 3}}
    status, answer = await apply(rig, f"{WEB}/scale", scale, "scaler")
    assert failure(answer) == (
        409,
        "Conflict",
        'Apply failed with 1 conflict: conflict with "first": .spec.replicas',
    )
    status, answer = await apply(rig, f"{WEB}/scale", scale, "scaler", force=True)
    assert (status, answer["spec"]) == (200, {"replicas": 3}), answer
    _, answer, _ = await rig.http("GET", WEB)
    assert owned(answer)["scaler/scale"] == {"f:spec": {"f:replicas": {}}}


async def test_from_client_side_apply_to_server_side(rig: Rig) -> None:
    last = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1", "y": "1"}}
    body = config_map("a", x="1", y="1")
    body["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(last)}
    await rig.http("POST", f"{MAPS}?fieldManager=kubectl-client-side-apply", body)
    status, answer = await apply(rig, f"{MAPS}/a", maps(x="2"), "kubectl")
    assert (status, answer["data"]["x"]) == (200, "2")
    assert json.loads(answer["metadata"]["annotations"][LAST_APPLIED])["data"] == {"x": "2"}
    # Nobody else may.
    _, answer = await apply(rig, f"{MAPS}/a", maps(y="2"), "other")
    assert failure(answer)[:2] == (409, "Conflict")


async def test_many_updaters_become_ancient(rig: Rig) -> None:
    await rig.http("POST", f"{MAPS}?fieldManager=u0", config_map("a", k0="1"))
    for number in range(1, 14):
        body = {"data": {f"k{number}": "1"}}
        _, answer, _ = await rig.http(
            "PATCH", f"{MAPS}/a?fieldManager=u{number}", body, headers={"Content-Type": MERGE_PATCH}
        )
    managers = owned(answer)
    assert len(managers) == 10
    assert "ancient-changes" in managers


async def test_objects_without_entries_that_are_updated_stay_without(rig: Rig) -> None:
    await rig.http("POST", MAPS, config_map("a", x="1"))
    clear: Any = {"metadata": {"managedFields": []}}
    await rig.http("PATCH", f"{MAPS}/a", clear, headers={"Content-Type": MERGE_PATCH})
    change = {"data": {"x": "2"}}
    _, answer, _ = await rig.http("PATCH", f"{MAPS}/a", change, headers={"Content-Type": MERGE_PATCH})
    assert answer["metadata"].get("managedFields") in (None, [])


async def test_an_apply_that_finds_the_object_created_meanwhile_updates_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = rig.store.create

    async def late(key: str, *arguments: Any, **options: Any) -> Any:
        if key.endswith("/a"):
            monkeypatch.setattr(rig.store, "create", create)
            await rig.admin.create(CONFIG_MAPS, config_map("a", y="2"))
        return await create(key, *arguments, **options)

    monkeypatch.setattr(rig.store, "create", late)
    status, answer = await apply(rig, f"{MAPS}/a", maps(x="1"))
    assert (status, answer["data"]) == (200, {"x": "1", "y": "2"})


async def test_an_apply_that_finds_the_object_deleted_meanwhile_creates_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await apply(rig, f"{MAPS}/a", maps(x="1"))
    update = rig.store.update

    async def late(key: str, *arguments: Any, **options: Any) -> Any:
        if key.endswith("/a"):
            await rig.admin.delete(CONFIG_MAPS, "a", "default")
        return await update(key, *arguments, **options)

    monkeypatch.setattr(rig.store, "update", late)
    status, answer = await apply(rig, f"{MAPS}/a", maps(x="2"))
    assert (status, answer["data"]) == (201, {"x": "2"})
