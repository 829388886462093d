"""Who may do what: RBAC over live objects, nodes, impersonation."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.apiserver.rig import ADMIN, ALICE, Rig, account, config_map, pod
from tests.timing import least_awaited, process_seconds
from wherry.api.coordination.leases import LEASES
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.secrets import SECRETS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.api.rbac.role_bindings import ROLE_BINDINGS
from wherry.api.rbac.roles import ROLES
from wherry.api.storage.csi_nodes import CSI_NODES
from wherry.apiserver.admission import rbac_escalation
from wherry.apiserver.authorization import rules
from wherry.apiserver.cached import Cached
from wherry.apiserver.user import AUTHENTICATED, NODES_GROUP, User, service_account_user
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

API = "rbac.authorization.k8s.io"
NODE = User("system:node:n1", (NODES_GROUP, AUTHENTICATED))
REFUSED = 'User "alice" cannot {} resource "pods" in API group "" in the namespace "default"'


def binding(role_kind: str, role: str, subject: Object, namespace: str = "default") -> Object:
    meta = {"name": f"b-{role}", "namespace": namespace} if namespace else {"name": f"b-{role}"}
    return {
        "apiVersion": f"{API}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": API, "kind": role_kind, "name": role},
        "subjects": [subject],
    }


ALICE_SUBJECT = {"kind": "User", "apiGroup": API, "name": "alice"}


async def test_a_role_binding_lets_in_and_its_end_shuts_out(rig: Rig) -> None:
    alice = rig.client(ALICE)
    with pytest.raises(ApiError) as caught:
        await alice.list(PODS, "default")
    assert caught.value.message == "pods is forbidden: " + REFUSED.format("list")
    rules = [{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}]
    role = {"metadata": {"name": "r", "namespace": "default"}, "rules": rules}
    await rig.admin.create(ROLES, role)
    await rig.admin.create(ROLE_BINDINGS, binding("Role", "r", ALICE_SUBJECT))
    assert (await alice.list(PODS, "default")).items == []
    with pytest.raises(ApiError, match='in the namespace "kube-system"'):
        await alice.list(PODS, "kube-system")
    with pytest.raises(ApiError, match="at the cluster scope"):
        await alice.list(PODS)
    await rig.admin.delete(ROLE_BINDINGS, "b-r", "default")
    with pytest.raises(ApiError, match="cannot list"):
        await alice.list(PODS, "default")


async def test_a_role_for_one_name_is_for_that_name_whatever_was_asked_before(rig: Rig) -> None:
    for name in ("a", "b"):
        await rig.admin.create(CONFIG_MAPS, config_map(name))
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a"]}]
    await rig.admin.create(ROLES, {"metadata": {"name": "r", "namespace": "default"}, "rules": rules})
    await rig.admin.create(ROLE_BINDINGS, binding("Role", "r", ALICE_SUBJECT))
    alice = rig.client(ALICE)
    for _ in range(2):
        assert await alice.get(CONFIG_MAPS, "a", "default")
        with pytest.raises(ApiError, match='"b" is forbidden'):
            await alice.get(CONFIG_MAPS, "b", "default")
    await rig.admin.patch(ROLES, "r", "default", {"rules": [{**rules[0], "resourceNames": None}]})
    assert await alice.get(CONFIG_MAPS, "b", "default")
    await rig.admin.delete(ROLE_BINDINGS, "b-r", "default")
    for name in ("a", "b"):
        with pytest.raises(ApiError, match="is forbidden"):
            await alice.get(CONFIG_MAPS, name, "default")


async def test_named_objects_are_named_in_the_refusal(rig: Rig) -> None:
    with pytest.raises(ApiError) as caught:
        await rig.client(ALICE).get(PODS, "p", "default")
    assert caught.value.message == 'pods "p" is forbidden: ' + REFUSED.format("get")
    status, body, _ = await rig.http("GET", "/metrics", token="alice-token")
    assert (status, body["message"]) == (403, 'forbidden: User "alice" cannot get path "/metrics"')


async def test_edit_may_write_but_not_grant(rig: Rig) -> None:
    await rig.admin.create(ROLE_BINDINGS, binding("ClusterRole", "edit", ALICE_SUBJECT))
    alice = rig.client(ALICE)
    await alice.create(CONFIG_MAPS, config_map("a"))
    with pytest.raises(ApiError, match='cannot create resource "roles"'):
        await alice.create(ROLES, {"metadata": {"name": "r", "namespace": "default"}, "rules": []})


async def test_aggregated_roles_grow_with_labelled_ones(rig: Rig) -> None:
    await rig.admin.create(ROLE_BINDINGS, binding("ClusterRole", "view", ALICE_SUBJECT))
    alice = rig.client(ALICE)
    with pytest.raises(ApiError, match="cannot list"):
        await alice.list(SECRETS, "default")
    await rig.admin.create(
        CLUSTER_ROLES,
        {
            "metadata": {"name": "more", "labels": {f"{API}/aggregate-to-view": "true"}},
            "rules": [{"verbs": ["list"], "apiGroups": [""], "resources": ["secrets"]}],
        },
    )
    assert (await alice.list(SECRETS, "default")).items == []


async def test_service_accounts_and_groups_are_subjects(rig: Rig) -> None:
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": "default"}
    await rig.admin.create(CLUSTER_ROLE_BINDINGS, binding("ClusterRole", "view", subject, ""))
    await rig.client(service_account_user("default", "robot")).list(PODS)
    with pytest.raises(ApiError, match="system:serviceaccount:default:other"):
        await rig.client(service_account_user("default", "other")).list(PODS)


async def test_a_grant_cannot_exceed_what_the_granter_has(rig: Rig) -> None:
    await rig.admin.create(ROLE_BINDINGS, binding("ClusterRole", "admin", ALICE_SUBJECT))
    alice = rig.client(ALICE)
    mine = [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]
    await alice.create(ROLES, {"metadata": {"name": "fine", "namespace": "default"}, "rules": mine})
    more = [{"verbs": ["get"], "apiGroups": ["example.com"], "resources": ["things"]}]
    with pytest.raises(
        ApiError, match="is attempting to grant RBAC permissions not currently held"
    ) as caught:
        await alice.create(ROLES, {"metadata": {"name": "more", "namespace": "default"}, "rules": more})
    assert caught.value.code == 403
    assert caught.value.message.endswith(
        'held:\n{APIGroups:["example.com"], Resources:["things"], Verbs:["get"]}'
    )
    bound = binding("ClusterRole", "cluster-admin", ALICE_SUBJECT)
    with pytest.raises(ApiError, match="not currently held"):
        await alice.create(ROLE_BINDINGS, bound)


async def test_a_rule_of_millions_of_permissions_is_refused_at_once(rig: Rig) -> None:
    await rig.admin.create(ROLE_BINDINGS, binding("ClusterRole", "admin", ALICE_SUBJECT))
    values = {field: [f"x{n}" for n in range(600)] for field in ("apiGroups", "resources", "verbs")}
    role = {"metadata": {"name": "much", "namespace": "default"}, "rules": [values]}

    async def refused() -> None:
        with pytest.raises(ApiError, match="not currently held") as caught:
            await rig.client(ALICE).create(ROLES, role)
        lines = caught.value.message.splitlines()
        assert (len(lines), lines[-1]) == (102, "and more")

    assert await least_awaited(lambda: process_seconds(refused), 1) < 1


async def test_a_label_gathers_no_role_into_another(rig: Rig) -> None:
    """Labels of a role decide which others take its rules: setting them is granting those."""
    rules = [{"verbs": ["get", "update"], "apiGroups": [API], "resources": ["clusterroles"]}]
    await rig.admin.create(CLUSTER_ROLES, {"metadata": {"name": "editor"}, "rules": rules})
    await rig.admin.create(CLUSTER_ROLE_BINDINGS, binding("ClusterRole", "editor", ALICE_SUBJECT, ""))
    alice = rig.client(ALICE)
    role = await alice.get(CLUSTER_ROLES, "cluster-admin")
    labelled = {**role["metadata"], "labels": {f"{API}/aggregate-to-view": "true"}}
    with pytest.raises(ApiError, match="not currently held"):
        await alice.update(CLUSTER_ROLES, {**role, "metadata": labelled})
    view = await alice.get(CLUSTER_ROLES, "view")
    del view["aggregationRule"]
    with pytest.raises(ApiError, match="not currently held"):
        await alice.update(CLUSTER_ROLES, {**view, "rules": []})


async def test_a_finalizer_can_be_taken_off_any_role(rig: Rig) -> None:
    """Whoever collects garbage need not hold what the garbage grants."""
    rules = [{"verbs": ["update"], "apiGroups": [API], "resources": ["clusterroles"]}]
    await rig.admin.create(CLUSTER_ROLES, {"metadata": {"name": "editor"}, "rules": rules})
    await rig.admin.create(CLUSTER_ROLE_BINDINGS, binding("ClusterRole", "editor", ALICE_SUBJECT, ""))
    role = await rig.admin.get(CLUSTER_ROLES, "cluster-admin")
    held = {**role, "metadata": {**role["metadata"], "finalizers": ["example.com/hold"]}}
    held = await rig.client(ALICE).update(CLUSTER_ROLES, held)
    assert held["metadata"]["finalizers"] == ["example.com/hold"]


APPLY = {"Content-Type": "application/apply-patch+yaml"}


async def test_changing_is_no_leave_to_create(rig: Rig) -> None:
    """An apply or a PUT that finds nothing creates: that takes the permission to."""
    rules = [
        {
            "verbs": ["get", "patch", "update"],
            "apiGroups": ["", "coordination.k8s.io"],
            "resources": ["configmaps", "leases"],
        }
    ]
    await rig.admin.create(CLUSTER_ROLES, {"metadata": {"name": "r"}, "rules": rules})
    await rig.admin.create(ROLE_BINDINGS, binding("ClusterRole", "r", ALICE_SUBJECT))
    path = "/api/v1/namespaces/default/configmaps/new"
    applied = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}'
    asked = f"{path}?fieldManager=m"
    status, body, _ = await rig.http("PATCH", asked, applied, headers=APPLY, token="alice-token")
    assert (status, body["reason"]) == (403, "Forbidden")
    assert 'User "alice" cannot create resource "configmaps"' in body["message"]
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "new"}}
    put = "/apis/coordination.k8s.io/v1/namespaces/default/leases/new"
    assert (await rig.http("PUT", put, lease, token="alice-token"))[0] == 403
    assert (await rig.http("PATCH", asked, applied, headers=APPLY))[0] == 201
    assert (await rig.http("PATCH", asked, applied, headers=APPLY, token="alice-token"))[0] == 200


async def test_a_node_reads_only_what_its_pods_use(rig: Rig) -> None:
    node = rig.client(NODE)
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    for name in ("mine", "other"):
        await rig.admin.create(CONFIG_MAPS, config_map(name))
    volumes = [{"name": "v", "configMap": {"name": "mine"}}]
    await rig.admin.create(PODS, pod("p", nodeName="n1", volumes=volumes))
    await node.get(CONFIG_MAPS, "mine", "default")
    with pytest.raises(ApiError, match="no relationship found between node 'n1' and this object"):
        await node.get(CONFIG_MAPS, "other", "default")
    with pytest.raises(ApiError, match="No Object name found"):
        await node.list(CONFIG_MAPS, "default")
    listing = await node.list(CONFIG_MAPS, "default", field_selector="metadata.name=mine")
    assert len(listing.items) == 1


async def test_a_node_writes_only_itself(rig: Rig) -> None:
    node = rig.client(NODE)
    made = await node.create(NODES, {"metadata": {"name": "n1"}})
    with pytest.raises(ApiError, match='node "n1" is not allowed to modify node "n2"'):
        await node.create(NODES, {"metadata": {"name": "n2"}})
    with pytest.raises(ApiError, match="is not allowed to modify taints"):
        await node.update(NODES, {**made, "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}})
    lease = {"metadata": {"name": "n1", "namespace": "kube-node-lease"}}
    await node.create(LEASES, lease)
    with pytest.raises(ApiError, match="can only access node lease with the same name"):
        await node.create(LEASES, {"metadata": {"name": "n2", "namespace": "kube-node-lease"}})
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    other = await rig.admin.create(PODS, pod("p", nodeName="n2"))
    with pytest.raises(
        ApiError, match=r"can only update pod status for pods with spec\.nodeName set to itself"
    ):
        await node.update_status(PODS, {**other, "status": {"phase": "Running"}})
    with pytest.raises(ApiError, match="can only create mirror pods"):
        await node.create(PODS, pod("q", nodeName="n1"))


OWNER = {"apiVersion": "v1", "kind": "Node", "name": "n1", "controller": True}
FROM_SECRET = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]


@pytest.mark.parametrize(
    ("spec", "owner", "why"),
    [
        ({}, {}, ""),
        ({"serviceAccountName": "admin"}, {}, "reference service accounts"),
        ({"imagePullSecrets": [{"name": "s"}]}, {}, "reference secrets"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, {}, "reference secrets"),
        ({"initContainers": [{"name": "i", "image": "i", "env": FROM_SECRET}]}, {}, "reference secrets"),
        ({"volumes": [{"name": "v", "configMap": {"name": "s"}}]}, {}, "reference configmaps"),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "s"}}]}, {}, "persistentvolumecl"),
        ({}, {"name": "n2"}, "can only create pods with an owner reference set to itself"),
        ({}, {"controller": False}, "can only create pods with a controller owner reference"),
        ({}, {"blockOwnerDeletion": True}, "must not set blockOwnerDeletion"),
        ({}, {"uid": "other"}, "UID mismatch"),
    ],
)
async def test_a_node_gets_at_nothing_by_a_pod_of_its_own_making(
    rig: Rig, spec: Object, owner: Object, why: str
) -> None:
    node = rig.client(NODE)
    uid = (await node.create(NODES, {"metadata": {"name": "n1"}}))["metadata"]["uid"]
    mirror = pod("m", nodeName="n1", **spec)
    mirror["metadata"] |= {
        "annotations": {"kubernetes.io/config.mirror": "x"},
        "ownerReferences": [{**OWNER, "uid": uid, **owner}],
    }
    if why:
        with pytest.raises(ApiError, match=why) as caught:
            await node.create(PODS, mirror)
        assert caught.value.code == 403
    else:
        await node.create(PODS, mirror)


@pytest.mark.parametrize(
    ("label", "is_allowed"),
    [
        ("example.com/any", True),
        ("plain", True),
        ("kubernetes.io/arch", True),
        ("kubelet.kubernetes.io/x", True),
        ("sub.node.kubernetes.io/x", True),
        ("node-restriction.kubernetes.io/x", False),
        ("sub.node-restriction.kubernetes.io/x", False),
        ("node-role.kubernetes.io/control-plane", False),
        ("any.k8s.io/x", False),
    ],
)
async def test_labels_a_node_gives_itself(rig: Rig, label: str, is_allowed: bool) -> None:
    node = rig.client(NODE)
    labelled = {"metadata": {"name": "n1", "labels": {label: "x"}}}
    if not is_allowed:
        with pytest.raises(ApiError, match=f"not allowed to set the following labels: {label}"):
            await node.create(NODES, labelled)
    await node.create(NODES, labelled if is_allowed else {"metadata": {"name": "n1"}})
    change = {"metadata": {"labels": {label: "y"}}}
    if is_allowed:
        await node.patch(NODES, "n1", "", change)
    else:
        with pytest.raises(ApiError, match="is not allowed to modify labels"):
            await node.patch(NODES, "n1", "", change)


async def test_a_node_does_not_take_itself_away(rig: Rig) -> None:
    node = rig.client(NODE)
    await node.create(NODES, {"metadata": {"name": "n1"}})
    with pytest.raises(ApiError, match='cannot delete resource "nodes"'):
        await node.delete(NODES, "n1")
    gone = {"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": "none"}
    with pytest.raises(ApiError, match="is not allowed to modify ownerReferences"):
        await node.patch(NODES, "n1", "", {"metadata": {"ownerReferences": [gone]}})


async def test_a_node_sees_itself_and_its_pods_only(rig: Rig) -> None:
    node = rig.client(NODE)
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    for name in ("n1", "n2"):
        await rig.admin.create(NODES, {"metadata": {"name": name}})
        await rig.admin.create(PODS, pod(f"on-{name}", nodeName=name))
        await rig.admin.create(CSI_NODES, {"metadata": {"name": name}, "spec": {"drivers": []}})
    await node.get(NODES, "n1")
    await node.list(NODES, field_selector="metadata.name=n1")
    await node.get(PODS, "on-n1", "default")
    (found,) = (await node.list(PODS, field_selector="spec.nodeName=n1")).items
    assert found["metadata"]["name"] == "on-n1"
    await node.get(CSI_NODES, "n1")
    for refused, why in (
        (node.get(NODES, "n2"), "only its own Node object"),
        (node.list(NODES), "only its own Node object"),
        (node.get(PODS, "on-n2", "default"), "no relationship found"),
        (node.list(PODS, "default"), r"can only list/watch pods with spec\.nodeName"),
        (node.list(PODS, field_selector="spec.nodeName=n2"), r"can only list/watch pods with spec\.nodeName"),
        (
            node.list(PODS, field_selector="spec.nodeName!=n1"),
            r"can only list/watch pods with spec\.nodeName",
        ),
        (node.get(CSI_NODES, "n2"), "can only access CSINode with the same name"),
        (node.create(CSI_NODES, {"metadata": {"name": "n3"}}), "can only access CSINode with the same name"),
    ):
        with pytest.raises(ApiError, match=why) as caught:
            await refused
        assert caught.value.code == 403


async def test_a_node_gets_tokens_its_pods_have_volumes_for(rig: Rig) -> None:
    node = rig.client(NODE)
    await rig.admin.create(NODES, {"metadata": {"name": "n1"}})
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    token = {"serviceAccountToken": {"path": "t", "audience": "vault"}}
    volumes = [{"name": "v", "projected": {"sources": [token]}}]
    made = await rig.admin.create(PODS, pod("p", nodeName="n1", volumes=volumes))
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": made["metadata"]["uid"]}

    async def ask(*audiences: str) -> Object:
        body = {"spec": {"audiences": list(audiences), "boundObjectRef": bound}}
        return await node.create_subresource(SERVICE_ACCOUNTS, "default", "default", "token", body)

    assert (await ask())["status"]["token"]
    assert (await ask("vault"))["status"]["token"]
    with pytest.raises(ApiError, match='audience "other" not found in pod spec volume'):
        await ask("other")
    with pytest.raises(ApiError, match="node may only request 0 or 1 audiences"):
        await ask("vault", "other")


async def test_acting_as_somebody_else_takes_permission(rig: Rig) -> None:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    headers = {"Impersonate-User": "bob", "Impersonate-Group": "devs"}
    status, answer, _ = await rig.http("POST", path, body, headers=headers)
    assert status == 201
    info = answer["status"]["userInfo"]
    assert (info["username"], info["groups"]) == ("bob", ["devs", AUTHENTICATED])
    status, answer, _ = await rig.http("POST", path, body, headers=headers, token="alice-token")
    assert status == 403
    assert 'cannot impersonate-on:user-info:create resource "selfsubjectreviews"' in answer["message"]
    status, _, _ = await rig.http("GET", "/api/v1/namespaces/default", headers={"Impersonate-User": "bob"})
    assert status == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [("/livez", 200), ("/version", 200), ("/livez/ping", 403), ("/readyz/etcd", 403), ("/healthz-x", 403)],
)
async def test_what_a_stranger_hears_of_the_servers_health(rig: Rig, path: str, status: int) -> None:
    assert (await rig.http("GET", path, token=""))[0] == status


def test_masters_are_masters() -> None:
    assert ADMIN.is_master
    assert not ALICE.is_master


async def test_a_binding_that_changes_costs_itself(rig: Rig) -> None:
    """However many others there are: none of them is read again."""
    rules = [{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}]
    await rig.admin.create(ROLES, {"metadata": {"name": "r", "namespace": "default"}, "rules": rules})
    alice = rig.client(ALICE)
    others = [binding("Role", "r", {**ALICE_SUBJECT, "name": f"u{n}"}) for n in range(20)]
    for number, other in enumerate(others):
        other["metadata"]["name"] = f"other-{number}"
        await rig.admin.create(ROLE_BINDINGS, other)
    with pytest.raises(ApiError, match="cannot list"):
        await alice.list(PODS, "default")
    read: list[str] = []
    grants = rig.server._rbac._grants
    enter = grants.enter

    def counted(cached: Cached) -> None:
        read.append(cached.name)
        enter(cached)

    grants.enter = counted  # type: ignore[method-assign]
    bound = binding("Role", "r", ALICE_SUBJECT)
    bound["metadata"]["name"] = "hers"
    await rig.admin.create(ROLE_BINDINGS, bound)
    await alice.list(PODS, "default")
    assert read == ["hers"]
    present = await rig.admin.get(ROLE_BINDINGS, "hers", "default")
    await rig.admin.update(ROLE_BINDINGS, {**present, "subjects": []})
    with pytest.raises(ApiError, match="cannot list"):
        await alice.list(PODS, "default")
    await rig.admin.update(ROLE_BINDINGS, {**bound, "metadata": {"name": "hers", "namespace": "default"}})
    await alice.list(PODS, "default")
    await rig.admin.delete(ROLE_BINDINGS, "hers", "default")
    with pytest.raises(ApiError, match="cannot list"):
        await alice.list(PODS, "default")
    assert read == ["hers"] * 3


async def test_a_role_that_changes_leaves_others_as_they_were_read(rig: Rig) -> None:
    rbac = rig.server._rbac
    reader: Object = {"metadata": {"name": "reader"}, "rules": [
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}  # fmt: skip
    await rig.admin.create(CLUSTER_ROLES, reader)
    made = await rig.admin.create(CLUSTER_ROLES, {**reader, "metadata": {"name": "other"}})
    gathering: Object = {
        "metadata": {"name": "gathering"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"gathered": "yes"}}]},
    }
    await rig.admin.create(CLUSTER_ROLES, gathering)
    assert rbac.rules_of_role("ClusterRole", "", "gathering") == ()
    before = rbac.rules_of_role("ClusterRole", "", "reader")
    made["rules"][0]["verbs"] = ["list"]
    made["metadata"]["labels"] = {"gathered": "yes"}
    await rig.admin.update(CLUSTER_ROLES, made)
    assert rbac.rules_of_role("ClusterRole", "", "reader") is before
    for name in ("other", "gathering"):
        rules = rbac.rules_of_role("ClusterRole", "", name)
        assert rules is not None
        assert [rule["verbs"] for rule in rules] == [["list"]]
    await rig.admin.delete(CLUSTER_ROLES, "other")
    assert rbac.rules_of_role("ClusterRole", "", "other") is None
    assert rbac.rules_of_role("ClusterRole", "", "gathering") == ()


async def test_many_rules_are_compared_beside_the_loop(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a role of a few rules is not worth a thread."""
    await rig.admin.create(ROLE_BINDINGS, binding("ClusterRole", "admin", ALICE_SUBJECT))
    compared: list[str] = []
    plainly = rbac_escalation._missing_lines

    def noted(*args: Any) -> list[str]:
        compared.append(threading.current_thread().name.partition("_")[0])
        return plainly(*args)

    monkeypatch.setattr(rbac_escalation, "_missing_lines", noted)
    alice = rig.client(ALICE)
    rule = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    many = [{**rule, "resourceNames": [f"n{number}"]} for number in range(2000)]
    for name, some in (("few", [rule]), ("many", many)):
        await alice.create(ROLES, {"metadata": {"name": name, "namespace": "default"}, "rules": some})
    await alice.create(ROLE_BINDINGS, binding("Role", "many", ALICE_SUBJECT))
    await alice.create(ROLES, {"metadata": {"name": "last", "namespace": "default"}, "rules": [rule]})
    assert compared == ["MainThread", "beside", "beside", "beside"]


async def test_a_name_is_looked_up_among_thousands(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = {"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]}
    many = [{**rule, "resourceNames": [f"n{number}"]} for number in range(2000)]
    await rig.admin.create(ROLES, {"metadata": {"name": "many", "namespace": "default"}, "rules": many})
    await rig.admin.create(ROLE_BINDINGS, binding("Role", "many", ALICE_SUBJECT))
    asked: list[Object] = []
    plainly = rules.rule_allows

    def counted(rule: Object, *args: Any, **options: Any) -> bool:
        asked.append(rule)
        return plainly(rule, *args, **options)

    monkeypatch.setattr(rules, "rule_allows", counted)
    for name, words in (("n1999", "not found"), ("other", "is forbidden")):
        with pytest.raises(ApiError, match=words):
            await rig.client(ALICE).get(CONFIG_MAPS, name, "default")
    assert many[1999] in asked
    assert len(asked) < 50
