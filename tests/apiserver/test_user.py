"""Whom a name makes a service account, and whom not."""

from __future__ import annotations

import pytest

from tests.apiserver.rig import Rig
from wherry.api.rbac.role_bindings import ROLE_BINDINGS
from wherry.api.rbac.roles import ROLES
from wherry.apiserver.user import User


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("system:serviceaccount:default:robot", ("default", "robot")),
        ("system:serviceaccount:default:a.b-c", ("default", "a.b-c")),
        ("system:serviceaccount:default:robot:x", None),
        ("system:serviceaccount:default:robot, admin", None),
        ("system:serviceaccount:a.b:robot", None),
        ("system:serviceaccount:Default:robot", None),
        ("system:serviceaccount:default:", None),
        ("system:serviceaccount::robot", None),
        ("system:serviceaccount:default", None),
        ("system:serviceaccounts:default:robot", None),
        ("alice", None),
    ],
)
def test_names_of_service_accounts(name: str, account: tuple[str, str] | None) -> None:
    assert User(name).service_account == account


@pytest.mark.parametrize("suffix", ["robot:x", "robot, admin", "Robot", ""])
async def test_who_may_act_as_accounts_may_not_act_as_what_looks_like_one(rig: Rig, suffix: str) -> None:
    """Any user of the form is a plain user, whom it takes `impersonate` on users to become."""
    rules = [{"verbs": ["impersonate"], "apiGroups": [""], "resources": ["serviceaccounts"]}]
    await rig.admin.create(ROLES, {"metadata": {"name": "act", "namespace": "default"}, "rules": rules})
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "act"}
    subjects = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "alice"}]
    bound = {"metadata": {"name": "act", "namespace": "default"}, "roleRef": ref, "subjects": subjects}
    await rig.admin.create(ROLE_BINDINGS, bound)

    async def act_as(name: str) -> int:
        headers = {"Impersonate-User": f"system:serviceaccount:default:{name}"}
        return (await rig.http("GET", "/api", token="alice-token", headers=headers))[0]

    assert await act_as("robot") == 200
    assert await act_as(suffix) == 403
