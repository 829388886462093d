from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.objects.shapes import DEPLOYMENT, SCALAR, FakeShape, struct
from wherry.objects.managed_fields import Conflict, conflict_error, merge_apply, track_update
from wherry.objects.managed_fields.apply import BEFORE_FIRST_APPLY, LAST_APPLIED
from wherry.objects.patches import PatchFailed

Obj = dict[str, Any]


def deployment(meta: Obj | None = None, **spec: Any) -> Obj:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", **(meta or {})},
        "spec": spec,
    }


NOTHING: Obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}


def pods(*containers: Obj, **more: Any) -> Obj:
    return {"spec": {"containers": list(containers), **more}}


def try_apply(
    live: Obj | None, applied: Obj, manager: str = "me", force: bool = False, now: str = "t"
) -> tuple[Obj, list[Conflict]]:
    before = copy.deepcopy((live, applied))
    try:
        return merge_apply(live, applied, manager, force, DEPLOYMENT, "apps/v1", "", now)
    finally:
        assert before == (live, applied)


def apply(live: Obj | None, applied: Obj, manager: str = "me", force: bool = False, now: str = "t") -> Obj:
    obj, conflicts = try_apply(live, applied, manager, force, now)
    assert conflicts == []
    return obj


def update(live: Obj | None, new: Obj, manager: str = "upd") -> Obj:
    entries = track_update(live, new, manager, DEPLOYMENT, "apps/v1", "", "t")
    return {**new, "metadata": {**new["metadata"], "managedFields": entries}}


def owners(obj: Obj) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


def test_creates() -> None:
    obj = apply(None, deployment(replicas=1))
    assert obj["spec"] == {"replicas": 1}
    assert obj["metadata"]["managedFields"] == [
        {
            "manager": "me",
            "operation": "Apply",
            "apiVersion": "apps/v1",
            "time": "t",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }
    ]


def test_removes_what_is_given_up_and_leaves_what_was_defaulted() -> None:
    container = {"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}
    obj = apply(None, deployment({"labels": {"a": "1", "b": "1"}}, replicas=2, template=pods(container)))
    obj["spec"]["paused"] = False
    obj["spec"]["template"]["spec"]["containers"] = [{**container, "imagePullPolicy": "Always"}]
    obj["metadata"]["uid"] = "u"
    less = {"name": "c", "image": "i", "env": [{"name": "B", "value": "2"}]}
    obj = apply(obj, deployment({"labels": {"b": "1"}}, template=pods(less)))
    assert obj["metadata"]["labels"] == {"b": "1"}
    assert obj["metadata"]["uid"] == "u"
    assert obj["spec"] == {"paused": False, "template": pods({**less, "imagePullPolicy": "Always"})}


def test_gives_up_whole_items_and_maps() -> None:
    obj = apply(None, deployment({"labels": {"a": "1"}}, template=pods({"name": "a"}, {"name": "b"})))
    obj["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    obj = apply(obj, deployment(template=pods({"name": "b"})))
    assert obj["spec"]["template"] == pods({"name": "b"})
    assert "labels" not in obj["metadata"]
    assert obj["metadata"]["name"] == "d"


def test_what_another_owns_too_stays() -> None:
    obj = apply(None, deployment({"labels": {"a": "1"}}, replicas=2), "one")
    obj = apply(obj, deployment({"labels": {"a": "1"}}, replicas=2), "two")
    obj = apply(obj, NOTHING, "one")
    assert obj["spec"] == {"replicas": 2}
    assert obj["metadata"]["labels"] == {"a": "1"}
    assert set(owners(obj)) == {"two"}
    obj = apply(obj, NOTHING, "two")
    assert "spec" not in obj
    assert "managedFields" not in obj["metadata"]


def test_conflicts_are_told_as_upstream_does() -> None:
    obj = update(None, deployment(replicas=1), "kubectl-client-side-apply")
    live, conflicts = try_apply(obj, deployment(replicas=2))
    assert live is obj
    error = conflict_error(conflicts)
    assert error.code == 409
    assert error.message == (
        "Apply failed with 1 conflict: "
        'conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas'
    )
    assert error.details["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-client-side-apply" using apps/v1',
            "field": ".spec.replicas",
        }
    ]


def test_several_conflicts_are_listed() -> None:
    obj = apply(None, deployment(replicas=1, template=pods({"name": "c", "image": "x"})), "z")
    obj = update(obj, {**obj, "spec": {**obj["spec"], "paused": True}}, "a")
    _, conflicts = try_apply(
        obj, deployment(replicas=2, paused=False, template=pods({"name": "c", "image": "y"}))
    )
    assert conflict_error(conflicts).message == (
        'Apply failed with 3 conflicts: conflicts with "a" using apps/v1:\n'
        "- .spec.paused\n"
        'conflicts with "z":\n'
        "- .spec.replicas\n"
        '- .spec.template.spec.containers[name="c"].image'
    )


def test_force_takes_over() -> None:
    obj = update(None, deployment(replicas=1, paused=True))
    obj = apply(obj, deployment(replicas=2), force=True)
    assert obj["spec"] == {"replicas": 2, "paused": True}
    assert owners(obj) == {"me": {"f:spec": {"f:replicas": {}}}, "upd": {"f:spec": {"f:paused": {}}}}


def test_equal_values_are_owned_together() -> None:
    obj = update(None, deployment(replicas=1))
    obj = apply(obj, deployment(replicas=1))
    assert set(owners(obj)) == {"me", "upd"}


def test_a_repeated_apply_changes_nothing_not_even_the_time() -> None:
    config = deployment({"labels": {"a": "1"}}, replicas=1)
    obj = apply(None, config, now="t1")
    assert apply(obj, config, now="t2") == obj


def test_objects_nobody_was_recorded_for_get_a_manager() -> None:
    obj = apply(deployment(replicas=1, paused=True), deployment(replicas=1))
    assert owners(obj)[BEFORE_FIRST_APPLY] == {"f:spec": {"f:replicas": {}, "f:paused": {}}}
    _, conflicts = try_apply(deployment(replicas=1), deployment(replicas=2))
    assert [conflict.manager for conflict in conflicts] == [BEFORE_FIRST_APPLY]


def test_kubectl_may_take_over_what_it_applied_client_side() -> None:
    last = json.dumps(deployment(replicas=1))
    live = update(None, deployment({"annotations": {LAST_APPLIED: last}}, replicas=1, paused=True), "old")
    config = deployment(replicas=2)
    taken = apply(live, config, "kubectl")
    assert taken["spec"]["replicas"] == 2
    assert json.loads(taken["metadata"]["annotations"][LAST_APPLIED]) == config
    assert apply(taken, config, "kubectl", now="later") == taken
    _, conflicts = try_apply(live, deployment(paused=False), "kubectl")
    assert [conflict.path for conflict in conflicts] == [".spec.paused"]


def test_sets_and_atomic_values() -> None:
    obj = apply(None, deployment({"finalizers": ["a", "b"]}, selector={"x": 1, "y": 1}), "one")
    obj = apply(obj, deployment({"finalizers": ["c", "a"]}), "two")
    assert obj["metadata"]["finalizers"] == ["c", "a", "b"]
    obj = apply(obj, deployment({"finalizers": ["b"]}, selector={"x": 2}), "one")
    assert obj["metadata"]["finalizers"] == ["c", "a", "b"]
    assert obj["spec"]["selector"] == {"x": 2}
    obj = apply(obj, deployment({}, selector={"x": 2}), "one")
    assert obj["metadata"]["finalizers"] == ["c", "a"]


@pytest.mark.parametrize(
    ("live", "applied", "merged"),
    [
        ("ab", "nb", "anb"),
        ("abc", "cb", "acb"),
        ("", "ab", "ab"),
        ("ab", "", "ab"),
        ("xay", "a", "xay"),
        ("ab", "ba", "ba"),
        ("axb", "ba", "xba"),
    ],
)
def test_order_of_merged_lists(live: str, applied: str, merged: str) -> None:
    obj = update(None, deployment(template=pods(*({"name": n} for n in live))))
    obj = apply(obj, deployment(template=pods(*({"name": n} for n in applied))), force=True)
    assert "".join(c["name"] for c in obj["spec"]["template"]["spec"]["containers"]) == merged


def test_status_belongs_to_its_subresource() -> None:
    live = apply(None, {**deployment(replicas=1), "status": {"replicas": 3}})
    assert "status" not in live
    obj, _ = merge_apply(
        live,
        {**deployment(replicas=9), "status": {"replicas": 1}},
        "ctl",
        False,
        DEPLOYMENT,
        "apps/v1",
        "status",
        "t",
        frozenset(("spec",)),
    )
    assert obj["spec"] == {"replicas": 1}
    assert owners(obj)["ctl"] == {"f:status": {"f:replicas": {}}}


@pytest.mark.parametrize(
    ("applied", "why"),
    [
        (deployment(frob=1), ".spec.frob: field not declared in schema"),
        (deployment({"managedFields": [{}]}), "metadata.managedFields must be nil"),
        (
            deployment(template=pods({"name": "a"}, {"name": "a"})),
            '.spec.template.spec.containers: duplicate entries for key [name="a"]',
        ),
        (deployment(template=pods({"image": "a"})), 'omits key field "name"'),
        (deployment({"finalizers": ["a", "a"]}), "duplicate entries for set item"),
    ],
)
def test_refuses_what_cannot_be_owned(applied: Obj, why: str) -> None:
    with pytest.raises(PatchFailed) as raised:
        try_apply(None, applied)
    assert raised.value.code == 400
    assert why in raised.value.why


value: Any = st.sampled_from(["1", "2"])
labels: Any = st.dictionaries(st.sampled_from("abc"), value, max_size=3)
container: Any = st.fixed_dictionaries(
    {"name": st.sampled_from("xyz")},
    optional={
        "image": value,
        "command": st.lists(value, max_size=2),
        "env": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("EF")}, optional={"value": value}),
            min_size=1,
            max_size=2,
            unique_by=lambda item: item["name"],
        ),
    },
)
configurations: Any = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(1, 2),
        "data": labels,
        "selector": labels,
        "template": st.lists(container, min_size=1, max_size=3, unique_by=lambda c: c["name"]).map(
            lambda cs: pods(*cs)
        ),
    },
).map(lambda spec: deployment(**spec))


def assert_contains(obj: Any, applied: Any) -> None:
    """Every value the applier sent is there."""
    if isinstance(applied, dict):
        for key, item in applied.items():
            assert_contains(obj[key], item)
    elif isinstance(applied, list) and applied and isinstance(applied[0], dict):
        found = {item["name"]: item for item in obj}
        for item in applied:
            assert_contains(found[item["name"]], item)
    else:
        assert obj == applied


@given(configurations, configurations, configurations)
def test_applied_values_hold_and_repeating_is_idle(start: Obj, first: Obj, second: Obj) -> None:
    obj = update(None, start)
    for config in (first, second):
        obj = apply(obj, config, force=True)
        assert_contains(obj["spec"], config["spec"])
        assert apply(obj, config, now="later") == obj


@given(configurations, configurations)
def test_giving_everything_up_leaves_what_others_own(theirs: Obj, ours: Obj) -> None:
    obj = apply(None, theirs, "them")
    both, conflicts = try_apply(obj, ours)
    if conflicts:
        forced = apply(obj, ours, force=True)
        assert owners(forced).get("them") != owners(obj).get("them")
        return
    after = apply(both, NOTHING)
    assert owners(after) == owners(obj)
    assert_contains(after["spec"], theirs["spec"])


def test_a_struct_may_allow_what_it_does_not_declare() -> None:
    spec = FakeShape("struct", fields={"known": struct(a=SCALAR)}, allows_unknown=True)
    config = {"metadata": {"name": "x"}, "spec": {"known": {"a": 1}, "other": {"b": 1}}}
    obj, _ = merge_apply(None, config, "me", False, struct(spec=spec), "v1", "", "t")
    assert owners(obj)["me"] == {
        "f:spec": {"f:known": {"f:a": {}}, "f:other": {".": {}, "f:b": {}}},
    }
    with pytest.raises(PatchFailed, match="field not declared in schema"):
        merge_apply(None, config, "me", False, struct(spec=struct(known=SCALAR)), "v1", "", "t")
