"""Who writes policies reads no more than before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.admission.policies.samples import API, binding, policy, put, rule
from tests.apiserver.rig import Rig
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.objects.meta import Object

RBAC = "rbac.authorization.k8s.io"
SECRETS = {"apiVersion": "v1", "kind": "Secret"}
UNKNOWN = {"apiVersion": "example.com/v1", "kind": "Nothing"}
ONE = {"name": "one", "namespace": "default", "parameterNotFoundAction": "Allow"}
ALL = {"selector": {}, "parameterNotFoundAction": "Allow"}
GET_ONE = {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"]}
GET_ALL = {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}


async def may_write_policies_and(rig: Rig, *rules: Object) -> None:
    """Let alice write policies, and what else `rules` say."""
    writing = {"verbs": ["*"], "apiGroups": ["admissionregistration.k8s.io"], "resources": ["*"]}
    await rig.admin.create(CLUSTER_ROLES, {"metadata": {"name": "writer"}, "rules": [writing, *rules]})
    await rig.admin.create(
        CLUSTER_ROLE_BINDINGS,
        {
            "metadata": {"name": "writer"},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "writer"},
            "subjects": [{"kind": "User", "apiGroup": RBAC, "name": "alice"}],
        },
    )


async def post(rig: Rig, plural: str, obj: Object) -> tuple[int, str]:
    """What alice hears when she creates it."""
    status, body, _ = await rig.http("POST", f"/apis/{API}/{plural}", obj, token="alice-token")
    return status, body.get("message", "")


@pytest.mark.parametrize(
    ("param_kind", "rules", "code"),
    [
        (None, [], 201),
        (SECRETS, [], 422),
        (SECRETS, [GET_ONE], 422),
        (SECRETS, [GET_ALL], 201),
        (UNKNOWN, [GET_ALL], 422),
    ],
)
async def test_a_policy_takes_reading_its_kind(
    rig: Rig, param_kind: Any, rules: list[Object], code: int
) -> None:
    await may_write_policies_and(rig, *rules)
    spec = {"paramKind": param_kind} if param_kind else {}
    made = policy("Validating", validations=[rule("true")], **spec)
    status, message = await post(rig, "validatingadmissionpolicies", made)
    assert status == code, message
    if code == 422:
        assert 'spec.paramKind: Forbidden: user "alice" must have "get" permission on all objects' in message


@pytest.mark.parametrize(
    ("ref", "rules", "code"),
    [
        (ONE, [], 422),
        (ONE, [GET_ONE], 201),
        (ALL, [GET_ONE], 422),
        (ALL, [GET_ALL], 201),
    ],
)
@pytest.mark.parametrize("policy_name", ["p", "none"])
async def test_a_binding_takes_reading_what_it_refers_to(
    rig: Rig, ref: Object, rules: list[Object], code: int, policy_name: str
) -> None:
    await may_write_policies_and(rig, *rules)
    await put(rig, policy("Validating", validations=[rule("true")], paramKind=SECRETS))
    made = binding("Validating", policy_name=policy_name, paramRef=ref)
    status, message = await post(rig, "validatingadmissionpolicybindings", made)
    # Of what kind they are is not known before there is a policy: then it takes everything.
    assert status == (code if policy_name == "p" else 422), message


async def test_what_does_not_change_is_not_asked_about(rig: Rig) -> None:
    await may_write_policies_and(rig)
    await put(rig, policy("Validating", validations=[rule("true")], paramKind=SECRETS))
    path = f"/apis/{API}/validatingadmissionpolicies/p"
    _, found, _ = await rig.http("GET", path)
    found["metadata"]["labels"] = {"a": "b"}
    assert (await rig.http("PUT", path, found, token="alice-token"))[0] == 200
