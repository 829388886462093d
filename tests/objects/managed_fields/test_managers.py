from __future__ import annotations

from typing import Any

from tests.objects.shapes import DEPLOYMENT
from wherry.objects.managed_fields import STATUS, track_update
from wherry.objects.managed_fields.managers import ANCIENT, MAX_UPDATE_MANAGERS


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def write(
    old: dict[str, Any] | None,
    new: dict[str, Any],
    manager: str = "me",
    subresource: str = "",
    now: str = "t1",
    version: str = "apps/v1",
) -> dict[str, Any]:
    """`new` as it would be stored: with its managedFields."""
    resets = frozenset(("spec",)) if subresource == "status" else STATUS
    entries = track_update(old, new, manager, DEPLOYMENT, version, subresource, now, resets)
    meta = {**new["metadata"], "managedFields": entries}
    if not entries:
        del meta["managedFields"]
    return {**new, "metadata": meta}


def changed(obj: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {**obj, "spec": {**obj["spec"], **spec}}


def entries(obj: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = obj["metadata"]["managedFields"]
    return found


def test_create_gives_everything_to_its_manager_but_status() -> None:
    obj = {**deployment(replicas=1), "status": {"replicas": 1}}
    assert entries(write(None, obj)) == [
        {
            "manager": "me",
            "operation": "Update",
            "apiVersion": "apps/v1",
            "time": "t1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }
    ]


def test_an_object_nobody_can_own_anything_of_has_no_entry() -> None:
    assert track_update(None, {"metadata": {"name": "x"}}, "me", None, "v1", "", "t") == []


def test_a_change_changes_hands() -> None:
    first = write(None, deployment(replicas=1, paused=True))
    second = write(first, changed(first, replicas=2), "you", now="t2")
    assert [(e["manager"], e["time"], e["fieldsV1"]) for e in entries(second)] == [
        ("me", "t1", {"f:spec": {"f:paused": {}}}),
        ("you", "t2", {"f:spec": {"f:replicas": {}}}),
    ]


def test_no_change_keeps_the_list_itself() -> None:
    first = write(None, deployment(replicas=1))
    assert track_update(first, dict(first), "you", DEPLOYMENT, "apps/v1", "", "t2") is entries(first)
    sent = {**first, "metadata": {"name": "d"}}
    assert track_update(first, sent, "you", DEPLOYMENT, "apps/v1", "", "t2") is entries(first)


def test_own_entry_grows_and_loses_what_is_removed() -> None:
    first = write(None, deployment(replicas=1))
    second = write(first, changed(first, paused=True), now="t2")
    assert [(e["time"], e["fieldsV1"]) for e in entries(second)] == [
        ("t2", {"f:spec": {"f:replicas": {}, "f:paused": {}}})
    ]
    third = write(second, {**second, "spec": {"paused": True}}, "you", now="t3")
    assert [(e["manager"], e["fieldsV1"]) for e in entries(third)] == [("me", {"f:spec": {"f:paused": {}}})]


def test_entries_without_fields_are_dropped() -> None:
    first = write(None, deployment(replicas=1))
    second = write(first, changed(first, replicas=2), "you", now="t2")
    assert [e["manager"] for e in entries(second)] == ["you"]


def test_status_is_owned_through_its_subresource() -> None:
    first = write(None, deployment(replicas=1))
    second = write(first, {**first, "status": {"replicas": 1}}, "ctl", "status", "t2")
    assert entries(second)[1] == {
        "manager": "ctl",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "time": "t2",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:status": {"f:replicas": {}}},
        "subresource": "status",
    }
    again = write(second, {**changed(second, replicas=3), "status": {}}, "me", "", "t3")
    assert [e["manager"] for e in entries(again)] == ["ctl", "me"]


def test_versions_have_entries_of_their_own() -> None:
    first = write(None, deployment(replicas=1))
    second = write(first, changed(first, paused=True), now="t2", version="apps/v1beta1")
    assert [e["apiVersion"] for e in entries(second)] == ["apps/v1", "apps/v1beta1"]


def test_a_client_may_rewrite_or_clear_the_entries() -> None:
    first = write(None, deployment(replicas=1))
    rewritten = [{**entries(first)[0], "manager": "other"}]
    sent = {**first, "metadata": {"name": "d", "managedFields": rewritten}}
    assert track_update(first, sent, "you", DEPLOYMENT, "apps/v1", "", "t2") == rewritten
    clearings: list[list[Any]] = [[], [{}]]
    for clearing in clearings:
        cleared = {**first, "metadata": {"name": "d", "managedFields": clearing}}
        assert track_update(first, cleared, "you", DEPLOYMENT, "apps/v1", "", "t2") == []
    broken = {
        **first,
        "metadata": {"name": "d", "managedFields": [{"operation": "Frob", "fieldsV1": {"x": 1}}]},
    }
    assert track_update(first, broken, "you", DEPLOYMENT, "apps/v1", "", "t2") == entries(first)


def test_many_managers_end_in_one_bucket() -> None:
    obj = write(None, deployment(data={}), now="t00")
    for number in range(1, 20):
        data = {**obj["spec"]["data"], f"k{number}": "1"}
        obj = write(obj, changed(obj, data=data), f"m{number}", now=f"t{number:02}")
    assert len(entries(obj)) == MAX_UPDATE_MANAGERS
    assert entries(obj)[0]["manager"] == ANCIENT
    owned = [field for e in entries(obj) for field in e["fieldsV1"]["f:spec"]["f:data"] if field != "."]
    assert sorted(owned) == sorted(f"f:k{number}" for number in range(1, 20))
