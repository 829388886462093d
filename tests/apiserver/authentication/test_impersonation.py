"""Who may act as whom, and at what: the modes of impersonation."""

from __future__ import annotations

import pytest

from tests.apiserver.rig import Rig
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.apiserver.authentication.impersonation import NODE_KEYS, Impersonation
from wherry.apiserver.authentication.service_accounts import NODE_NAME
from wherry.apiserver.authorization.base import refusal
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User, service_account_user
from wherry.kit.httpd.message import RequestHeaders
from wherry.objects.errors import ApiError

LIST_PODS = RequestInfo("list", "", True, "", "v1", "default", "pods")
GROUP = "authentication.k8s.io"
AGENT = service_account_user("kube-system", "agent", extra={NODE_NAME: ("n1",), "a": ("b",)})
ALICE = User("alice")
Asked = tuple[str, str, str, str, str]


class Permissions:
    """Lets through what is in `held`: (verb, group, namespace/resource, name)."""

    def __init__(self, *held: tuple[str, str, str, str]) -> None:
        self.held = set(held)
        self.asked: list[tuple[str, str, str, str]] = []
        self.users: list[User] = []
        self.impersonation = Impersonation(self.check)

    def check(self, user: User, info: RequestInfo) -> None:
        where = "/".join(filter(None, (info.namespace, info.full_resource)))
        self.asked.append((info.verb, info.group, where, info.name))
        self.users.append(user)
        if self.asked[-1] not in self.held:
            raise refusal(user, info)

    def act(self, user: User, name: str, *lines: tuple[str, str], info: RequestInfo = LIST_PODS) -> User:
        headers = RequestHeaders()
        for key, value in (("impersonate-user", name), *lines):
            headers.add(key, value)
        return self.impersonation.impersonated(user, headers, info)


def on(mode: str, verb: str = "list") -> tuple[str, str, str, str]:
    return (f"impersonate-on:{mode}:{verb}", "", "default/pods", "")


def test_an_agent_acts_as_the_node_it_is_on() -> None:
    made = Permissions(on("associated-node"), ("impersonate:associated-node", GROUP, "nodes", "*"))
    became = made.act(AGENT, "system:node:n1")
    assert (became.name, became.groups) == ("system:node:n1", ("system:nodes", "system:authenticated"))
    told = made.users[0]
    assert (told.name, dict(told.extra)) == (AGENT.name, {NODE_KEYS: ("a", NODE_NAME)}), "not which node"
    for user, name in ((AGENT, "system:node:n2"), (ALICE, "system:node:n1"), (AGENT, "bob")):
        with pytest.raises(ApiError):
            made.act(user, name)
    with pytest.raises(ApiError):
        made.act(AGENT, "system:node:n1", ("impersonate-group", "g"))
    with pytest.raises(ApiError, match="impersonate-on:associated-node:get"):
        made.act(AGENT, "system:node:n1", info=LIST_PODS._replace(verb="get", name="p"))


def test_any_node_an_account_and_other_users_are_modes_of_their_own() -> None:
    node = Permissions(on("arbitrary-node"), ("impersonate:arbitrary-node", GROUP, "nodes", "n2"))
    assert node.act(ALICE, "system:node:n2").groups == ("system:nodes", "system:authenticated")
    account = ("impersonate:serviceaccount", GROUP, "default/serviceaccounts", "robot")
    robot = Permissions(on("serviceaccount"), account)
    assert robot.act(ALICE, "system:serviceaccount:default:robot").groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated",
    )
    info = "impersonate:user-info"
    other = Permissions(
        on("user-info"),
        (info, GROUP, "users", "bob"),
        (info, GROUP, "groups", "devs"),
        (info, GROUP, "uids", "u"),
        (info, GROUP, "userextras/example.com/k", "v"),
    )
    lines = (
        ("impersonate-group", "devs"),
        ("impersonate-uid", "u"),
        ("impersonate-extra-example.com%2fk", "v"),
    )
    became = other.act(ALICE, "bob", *lines)
    assert (became.groups, became.uid, dict(became.extra)) == (
        ("devs", "system:authenticated"),
        "u",
        {"example.com/k": ("v",)},
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (("impersonate-group", "system:masters"), "impersonating the system:masters group is not allowed"),
        (
            ("impersonate-extra-k", "v"),
            "impersonating an invalid key in extra is not allowed: extra.key: Invalid",
        ),
        (
            ("impersonate-extra-example.com%2fK", "v"),
            'impersonating a non-lowercase key in extra is not allowed: "example.com/K"',
        ),
        (("impersonate-extra-example.com%2fk", ""), "impersonating the empty string value in extra"),
    ],
)
def test_what_nobody_becomes_under_constraints(line: tuple[str, str], why: str) -> None:
    held = Permissions(on("user-info"), ("impersonate:user-info", GROUP, "users", "bob"))
    with pytest.raises(ApiError) as caught:
        held.act(ALICE, "bob", line)
    assert why in caught.value.message


def test_many_groups_are_asked_about_at_once() -> None:
    info = "impersonate:user-info"
    held = Permissions(on("user-info"), (info, GROUP, "users", "bob"), (info, GROUP, "groups", "*"))
    groups = [("impersonate-group", f"g{number}") for number in range(4)]
    assert held.act(ALICE, "bob", *groups).groups[:4] == ("g0", "g1", "g2", "g3")
    assert [name for _, _, resource, name in held.asked if resource == "groups"] == ["*"]
    with pytest.raises(ApiError):
        held.act(ALICE, "bob", *groups[:3])


def test_the_mode_that_let_somebody_through_is_tried_first() -> None:
    held = Permissions(("impersonate", "", "users", "bob"))
    with pytest.raises(ApiError, match="cannot impersonate-on:user-info:list"):
        held.act(ALICE, "carol")
    assert held.act(ALICE, "bob").name == "bob"
    held.asked.clear()
    assert held.act(ALICE, "bob").name == "bob"
    assert held.asked == [("impersonate", "", "users", "bob")]
    with pytest.raises(
        ApiError, match='"carol" is forbidden: User "alice" cannot impersonate resource "users"'
    ):
        held.act(ALICE, "carol")


async def test_roles_constrain_whom_one_acts_as_and_at_what(rig: Rig) -> None:
    rules = [
        {
            "verbs": ["impersonate:user-info"],
            "apiGroups": [GROUP],
            "resources": ["users"],
            "resourceNames": ["bob"],
        },
        {"verbs": ["impersonate-on:user-info:list"], "apiGroups": [""], "resources": ["namespaces"]},
    ]
    await rig.admin.create(CLUSTER_ROLES, {"metadata": {"name": "act"}, "rules": rules})
    reads = [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["namespaces"]}]
    await rig.admin.create(CLUSTER_ROLES, {"metadata": {"name": "reads"}, "rules": reads})
    for role, user in (("act", "alice"), ("reads", "bob")):
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        subjects = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}]
        bound = {"metadata": {"name": role}, "roleRef": ref, "subjects": subjects}
        await rig.admin.create(CLUSTER_ROLE_BINDINGS, bound)

    async def status(path: str, name: str) -> int:
        return (await rig.http("GET", path, token="alice-token", headers={"Impersonate-User": name}))[0]

    assert await status("/api/v1/namespaces", "bob") == 200
    assert await status("/api/v1/namespaces/default", "bob") == 403
    assert await status("/api/v1/namespaces", "carol") == 403
