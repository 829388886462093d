"""The roles every cluster has, and how they are kept whole without taking from anybody."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.apiserver.rig import ADMIN, Rig, api_server, running
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.api.rbac.role_bindings import ROLE_BINDINGS
from wherry.api.rbac.roles import ROLES
from wherry.apiserver.bootstrap import roles
from wherry.apiserver.bootstrap.policy import AUTOUPDATE, cluster_binding, cluster_role, group, lines
from wherry.apiserver.bootstrap.reconcile import needs_replacing, plan_binding, plan_role
from wherry.client.api import Client
from wherry.kit.clock import SystemClock
from wherry.objects.meta import Object, name_of, namespace_of

AGGREGATED = {"admin", "edit", "view"}
"""Roles whose rules are gathered from others."""
OWN = {"wherry:pod-decision-viewer", "system:coredns"}
"""Ours; the latter is of kubeadm's add-on (cmd/kubeadm/app/phases/addons/dns, CoreDNSClusterRole)."""
NOT_HERE = {
    "system:controller:resourcepoolstatusrequest-controller": "alpha: DRAResourcePoolStatus is off",
    "system:controller:storage-version-garbage-collector": "alpha: StorageVersionAPI is off",
}
"""Upstream's roles that are not made, as they are not by upstream with its gates as they are by default."""
NOT_ALLOWED = {
    ("system:kube-scheduler", "leases.coordination.k8s.io kube-scheduler"): (
        {"list", "watch"},
        "CoordinatedLeaderElection is off: nobody waits for its lease to be given to another",
    ),
    ("system:kube-scheduler", "leasecandidates.coordination.k8s.io"): (
        {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"},
        "CoordinatedLeaderElection is off",
    ),
}
"""Verbs upstream's role has that ours has not, and why. Ours has none that upstream's has not."""
Allowed = dict[str, dict[str, set[str]]]


def upstreams() -> Allowed:
    """Verbs by what they are for, by role: `bootstrap_policy.txt`."""
    found: Allowed = {}
    name = ""
    for line in (Path(__file__).parent / "bootstrap_policy.txt").read_text().splitlines():
        if line.startswith("  "):
            verbs, _, things = line.partition(": ")
            for thing in things.split(", "):
                found[name].setdefault(thing, set()).update(verbs.split())
        elif line and not line.startswith("#"):
            name = line
            found[name] = {}
    return found


def allowed_by(role: Object) -> dict[str, set[str]]:
    """The same of one of ours, however its rules are cut."""
    found: dict[str, set[str]] = {}
    for rule in role["rules"]:
        things = [f"path {path}" for path in rule.get("nonResourceURLs") or ()]
        for group_name in rule.get("apiGroups") or ():
            for plural in rule["resources"]:
                kind = f"{plural}.{group_name}" if group_name else plural
                things += [f"{kind} {name}".rstrip() for name in rule.get("resourceNames") or ("",)]
        for thing in things:
            found.setdefault(thing, set()).update(rule["verbs"])
    return found


def controllers() -> set[str]:
    return {name for name in upstreams() if name.startswith("system:controller:")} - NOT_HERE.keys()


def test_the_roles_are_upstreams() -> None:
    names = {name_of(role) for role in roles.cluster_roles()}
    assert names == (upstreams().keys() - NOT_HERE.keys()) | AGGREGATED | OWN


def test_each_role_allows_what_upstreams_does() -> None:
    wanted = upstreams()
    more: dict[tuple[str, str], set[str]] = {}
    less: dict[tuple[str, str], set[str]] = {}
    for role in roles.cluster_roles():
        name = name_of(role)
        if name in AGGREGATED | OWN:
            continue
        ours, theirs = allowed_by(role), wanted[name]
        for thing in {*ours, *theirs}:
            if extra := ours.get(thing, set()) - theirs.get(thing, set()):
                more[name, thing] = extra
            if lacking := theirs.get(thing, set()) - ours.get(thing, set()):
                less[name, thing] = lacking
    assert more == {}
    assert less == {key: verbs for key, (verbs, _) in NOT_ALLOWED.items()}


def test_the_bindings_are_upstreams() -> None:
    bound = {name_of(binding) for binding in roles.cluster_role_bindings()} - controllers()
    assert bound == {
        "cluster-admin",
        "system:basic-user",
        "system:cluster-trust-bundle-discovery",
        "system:coredns",
        "system:discovery",
        "system:kube-controller-manager",
        "system:kube-dns",
        "system:kube-scheduler",
        "system:monitoring",
        "system:node",
        "system:node-proxier",
        "system:public-info-viewer",
        "system:service-account-issuer-discovery",
        "system:volume-scheduler",
    }


def test_what_is_bound_in_a_namespace_is_there() -> None:
    there = {(namespace_of(role), name_of(role)) for role in roles.roles()}
    for binding in roles.role_bindings():
        assert (namespace_of(binding), binding["roleRef"]["name"]) in there
    named = {name_of(role) for role in roles.cluster_roles()}
    assert {binding["roleRef"]["name"] for binding in roles.cluster_role_bindings()} <= named


def test_people_who_may_edit_may_not_write_endpoints() -> None:
    edit = next(role for role in roles.cluster_roles() if name_of(role) == "system:aggregate-to-edit")
    writing = [rule for rule in edit["rules"] if "update" in rule["verbs"]]
    assert not any("endpoints" in rule["resources"] for rule in writing)
    assert edit["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"


def test_a_line_is_a_rule() -> None:
    assert lines("read,delete core,apps pods,pods/log a,b", "all * *") == [
        {
            "verbs": ["delete", "get", "list", "watch"],
            "apiGroups": ["", "apps"],
            "resources": ["pods", "pods/log"],
            "resourceNames": ["a", "b"],
        },
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    ]


WANTED = cluster_role("r", lines("read core pods", "create core secrets"))


def changed(obj: Object, **parts: Any) -> Object:
    return {**copy.deepcopy(obj), **parts}


@pytest.mark.parametrize(
    ("rules", "planned"),
    [
        (lines("read core pods", "create core secrets"), None),
        (lines("all * *"), None),
        (lines("create core secrets", "get,list core pods", "watch core pods"), None),
        ([], lines("get core pods", "list core pods", "watch core pods", "create core secrets")),
        (
            lines("get,list core pods", "delete core nodes"),
            lines("get,list core pods", "delete core nodes", "watch core pods", "create core secrets"),
        ),
    ],
)
def test_missing_rules_are_added(rules: list[Object], planned: list[Object] | None) -> None:
    new = plan_role(changed(WANTED, rules=rules), WANTED)
    assert (new["rules"] if new is not None else None) == planned


def test_labels_and_annotations_are_added_but_not_changed() -> None:
    mine = {"name": "r", "labels": {"kubernetes.io/bootstrapping": "mine", "x": "y"}}
    new = plan_role(changed(WANTED, metadata=mine), WANTED)
    assert new is not None
    assert new["metadata"]["labels"] == {"kubernetes.io/bootstrapping": "mine", "x": "y"}
    assert new["metadata"]["annotations"] == {AUTOUPDATE: "true"}
    protected = {"name": "r", "annotations": {AUTOUPDATE: "false"}}
    assert plan_role(changed(WANTED, metadata=protected, rules=[]), WANTED) is None


def test_a_selector_that_is_missing_is_added() -> None:
    wanted = changed(WANTED, aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]})
    own = {"clusterRoleSelectors": [{"matchLabels": {"c": "d"}}]}
    new = plan_role(changed(wanted, aggregationRule=own), wanted)
    assert new is not None
    assert new["aggregationRule"]["clusterRoleSelectors"] == [
        {"matchLabels": {"c": "d"}},
        {"matchLabels": {"a": "b"}},
    ]


BOUND = cluster_binding("r", group("a"), group("b"))


@pytest.mark.parametrize(
    ("subjects", "planned"),
    [
        ([group("a"), group("b")], None),
        ([group("x"), group("b"), group("a")], None),
        ([group("x"), group("b")], [group("x"), group("b"), group("a")]),
        (None, [group("a"), group("b")]),
    ],
)
def test_missing_subjects_are_added(subjects: list[Object] | None, planned: list[Object] | None) -> None:
    present = changed(BOUND, subjects=subjects) if subjects else cluster_binding("r")
    new = plan_binding(present, BOUND)
    assert (new["subjects"] if new is not None else None) == planned


def test_a_binding_to_another_role_is_replaced() -> None:
    other = changed(BOUND, roleRef={**BOUND["roleRef"], "name": "other"}, subjects=[group("x")])
    assert needs_replacing(other, BOUND)
    new = plan_binding(other, BOUND)
    assert new is not None
    assert (new["roleRef"]["name"], len(new["subjects"])) == ("r", 3)
    other["metadata"]["annotations"][AUTOUPDATE] = "false"
    assert plan_binding(other, BOUND) is None


async def restart(rig: Rig) -> Client:
    """The same data under a new server; a client of it."""
    second = api_server(rig.store, SystemClock(), advertise_port=6443)
    await second.start()
    await second.close()
    return Client(second.local_transport(ADMIN))


async def test_a_start_completes_what_lacks_something() -> None:
    async with running(from_nothing=True, advertise_port=6443) as rig:
        view = await rig.admin.get(CLUSTER_ROLES, "system:aggregate-to-view")
        own = lines("get example.com boats")
        await rig.admin.update(CLUSTER_ROLES, {**view, "rules": [*own, *view["rules"][2:]]})
        dns = await rig.admin.get(CLUSTER_ROLES, "system:kube-dns")
        dns["metadata"]["annotations"][AUTOUPDATE] = "false"
        await rig.admin.update(CLUSTER_ROLES, {**dns, "rules": []})
        admins = await rig.admin.get(CLUSTER_ROLE_BINDINGS, "cluster-admin")
        await rig.admin.update(CLUSTER_ROLE_BINDINGS, {**admins, "subjects": [group("mine")]})
        await rig.admin.delete(CLUSTER_ROLE_BINDINGS, "system:basic-user")
        await rig.admin.create(
            CLUSTER_ROLE_BINDINGS,
            {
                "metadata": {"name": "system:basic-user"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
                "subjects": [group("mine")],
            },
        )
        await rig.admin.delete(ROLES, "system:controller:token-cleaner", "kube-system")
        await restart(rig)
        view = await rig.admin.get(CLUSTER_ROLES, "system:aggregate-to-view")
        assert own[0] in view["rules"]
        assert any("pods" in rule["resources"] for rule in view["rules"])
        assert (await rig.admin.get(CLUSTER_ROLES, "system:kube-dns")).get("rules") == []
        subjects = (await rig.admin.get(CLUSTER_ROLE_BINDINGS, "cluster-admin"))["subjects"]
        assert [subject["name"] for subject in subjects] == ["mine", "system:masters"]
        basic = await rig.admin.get(CLUSTER_ROLE_BINDINGS, "system:basic-user")
        assert basic["roleRef"]["name"] == "system:basic-user"
        assert {subject["name"] for subject in basic["subjects"]} == {"mine", "system:authenticated"}
        assert await rig.admin.get(ROLES, "system:controller:token-cleaner", "kube-system")
        assert len((await rig.admin.list(ROLE_BINDINGS, "kube-system")).items) == 7
        at = rig.store.revision
        await restart(rig)
        assert rig.store.revision == at, "nothing is written when nothing is missing"


async def test_a_role_nobody_can_complete_does_not_keep_the_server_from_starting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(from_nothing=True, advertise_port=6443) as rig:
        key = "/registry/clusterroles/view"
        entry = await rig.store.get(key)
        assert entry is not None
        spoilt = orjson.loads(entry.value)
        spoilt["rules"] = [{"verbs": [], "apiGroups": [""], "resources": ["pods"]}]
        await rig.store.update(key, orjson.dumps(spoilt), expected=entry.revision)
        await restart(rig)
        assert "clusterroles view could not be brought up to date" in caplog.text
