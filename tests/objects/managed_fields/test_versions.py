"""Owners of fields that two versions name differently: v1 says `spec.size`, v2 `spec.scale.size`."""

from __future__ import annotations

import json
from typing import Any

from tests.objects.shapes import SCALAR, struct
from wherry.objects.managed_fields import Conflict, merge_apply, track_update
from wherry.objects.managed_fields.apply import LAST_APPLIED
from wherry.objects.shape import Shape

Obj = dict[str, Any]

V1 = struct(spec=struct(size=SCALAR, color=SCALAR))
V2 = struct(spec=struct(scale=struct(size=SCALAR), color=SCALAR))
SHAPES: dict[str, Shape] = {"v1": V1, "v2": V2}


def convert(obj: Obj, version: str) -> tuple[Obj, Shape | None] | None:
    if version not in SHAPES:
        return None
    spec = dict(obj.get("spec") or {})
    if obj["apiVersion"] != version:
        if version == "v2" and "size" in spec:
            spec["scale"] = {"size": spec.pop("size")}
        elif version == "v1" and "scale" in spec:
            spec["size"] = spec.pop("scale")["size"]
    return {**obj, "apiVersion": version, "spec": spec}, SHAPES[version]


def v1(**spec: Any) -> Obj:
    return {"apiVersion": "v1", "kind": "K", "metadata": {"name": "k"}, "spec": spec}


def v2(size: int | None = None, **spec: Any) -> Obj:
    scale = {} if size is None else {"scale": {"size": size}}
    return {"apiVersion": "v2", "kind": "K", "metadata": {"name": "k"}, "spec": {**scale, **spec}}


def applied(
    live: Obj | None, config: Obj, manager: str, *, force: bool = False
) -> tuple[Obj, list[Conflict]]:
    version = config["apiVersion"]
    if live is not None:
        found = convert(live, version)
        assert found is not None
        live = found[0]
    return merge_apply(live, config, manager, force, SHAPES[version], version, "", "t", convert=convert)


def apply(live: Obj | None, config: Obj, manager: str, *, force: bool = False) -> Obj:
    obj, conflicts = applied(live, config, manager, force=force)
    assert conflicts == []
    return obj


def owners(obj: Obj) -> dict[tuple[str, str], Any]:
    entries = obj["metadata"].get("managedFields") or []
    return {(entry["manager"], entry["apiVersion"]): entry["fieldsV1"] for entry in entries}


SIZE_1: Obj = {"f:spec": {"f:size": {}}}
SIZE_2: Obj = {"f:spec": {"f:scale": {"f:size": {}}}}


def test_the_same_value_in_another_version_is_shared() -> None:
    obj = apply(apply(None, v1(size=1), "a"), v2(1), "b")
    assert owners(obj) == {("a", "v1"): SIZE_1, ("b", "v2"): SIZE_2}


def test_another_value_is_a_conflict_in_the_owners_words() -> None:
    live = apply(None, v1(size=1), "a")
    _, conflicts = applied(live, v2(2), "b")
    assert [(c.manager, c.api_version, c.path) for c in conflicts] == [("a", "v1", ".spec.size")]
    obj = apply(live, v2(2), "b", force=True)
    assert owners(obj) == {("b", "v2"): SIZE_2}


def test_what_was_applied_in_another_version_and_no_longer_is_goes() -> None:
    live = apply(None, v1(size=1, color="red"), "a")
    obj = apply(live, v2(color="red"), "a")
    assert obj["spec"] == {"color": "red"}
    assert owners(obj) == {("a", "v2"): {"f:spec": {"f:color": {}}}}


def test_what_another_version_holds_is_put_back() -> None:
    live = apply(apply(None, v1(size=1, color="red"), "a"), v2(1), "b")
    obj = apply(live, v1(color="red"), "a")
    assert obj["spec"] == {"size": 1, "color": "red"}
    assert owners(obj) == {("a", "v1"): {"f:spec": {"f:color": {}}}, ("b", "v2"): SIZE_2}


def test_an_update_takes_and_removes_in_the_owners_words() -> None:
    live = apply(None, v1(size=1, color="red"), "a")
    found = convert(live, "v2")
    assert found is not None
    old = found[0]
    new = {**old, "spec": {"scale": {"size": 2}}}
    entries = track_update(old, new, "u", V2, "v2", "", "t", convert=convert)
    assert [(e["manager"], e["apiVersion"], e["fieldsV1"]) for e in entries] == [("u", "v2", SIZE_2)]


def test_entries_of_a_version_that_is_gone_are_dropped_when_something_changes() -> None:
    live = v2(1)
    entry = {"manager": "old", "operation": "Update", "apiVersion": "v0", "fieldsV1": SIZE_1}
    live["metadata"]["managedFields"] = [entry]
    assert owners(apply(live, v2(1), "b")) == {("old", "v0"): SIZE_1, ("b", "v2"): SIZE_2}
    assert owners(apply(live, v2(3), "b")) == {("b", "v2"): SIZE_2}


def test_kubectl_takes_over_what_it_applied_in_another_version() -> None:
    live = v1(size=1)
    live["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(v1(size=1))}
    live["metadata"]["managedFields"] = track_update(
        None, live, "kubectl-client-side-apply", V1, "v1", "", "t"
    )
    obj = apply(live, v2(2), "kubectl")
    assert owners(obj)["kubectl", "v2"] == SIZE_2
    _, conflicts = applied(live, v2(2), "other")
    assert len(conflicts) == 1
    live["metadata"]["annotations"] = {LAST_APPLIED: '{"spec": []}'}
    _, conflicts = applied(live, v2(2), "kubectl")
    assert len(conflicts) == 1, "a note nobody can read allows nothing"
