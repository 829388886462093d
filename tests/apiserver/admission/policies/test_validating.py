"""Policies that refuse, warn and note."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.admission.policies.samples import MAPS, binding, policy, put, rule, validate
from tests.apiserver.rig import ALICE, Rig, config_map
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

DENIED = "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "


async def test_what_does_not_hold_is_refused(rig: Rig) -> None:
    await validate(rig, rule("object.data.size() < 2"))
    status, body, _ = await rig.http("POST", MAPS, config_map("a", x="1", y="2"))
    why = f"{DENIED}failed expression: object.data.size() < 2"
    assert (status, body["reason"], body["message"]) == (422, "Invalid", why)
    assert body["details"] == {
        "name": "a",
        "kind": "configmaps",
        "causes": [{"message": why.removeprefix('configmaps "a" is forbidden: ')}],
    }
    assert (await rig.http("POST", MAPS, config_map("a", x="1")))[0] == 201


@pytest.mark.parametrize(
    ("more", "code", "text"),
    [
        ({"message": " too many "}, 422, "too many"),
        ({"reason": "Forbidden"}, 403, "failed expression: false"),
        ({"messageExpression": "'have ' + string(object.data.size())", "message": "x"}, 422, "have 2"),
        ({"messageExpression": "object.nothing", "message": "x"}, 422, "x"),
        ({"messageExpression": "'  '", "message": "x"}, 422, "x"),
    ],
)
async def test_messages_and_reasons(rig: Rig, more: Any, code: int, text: str) -> None:
    await validate(rig, rule("false", **more))
    status, body, _ = await rig.http("POST", MAPS, config_map("a", x="1", y="2"))
    assert (status, body["message"]) == (code, DENIED + text)


@pytest.mark.parametrize(
    "expression",
    [
        "object.metadata.name == 'a' && oldObject == null",
        "has(object.data) && !has(object.binaryData)",
        "request.operation == 'CREATE' && request.kind.kind == 'ConfigMap'",
        "request.userInfo.username == 'admin' && 'system:masters' in request.userInfo.groups",
        "namespaceObject.metadata.name == 'default'",
        "authorizer.group('').resource('pods').namespace('default').check('delete').allowed()",
        "!authorizer.serviceAccount('default', 'nobody').group('').resource('pods').check('list').allowed()",
        # With loops in loops it is evaluated in a thread, which asks the loop's about permissions.
        "[1].all(x, [1].all(y, authorizer.group('').resource('pods').check('delete').allowed()))",
        "variables.total == 3 && variables.twice == 6",
        "request.dryRun == false || variables.broken",
        "object.data.all(k, k.matches('^[a-z]+$'))",
        "object.?data.x.orValue('?') == '1'",
    ],
)
async def test_what_can_be_named(rig: Rig, expression: str) -> None:
    variables = [
        {"name": "numbers", "expression": "object.data.map(k, int(object.data[k]))"},
        {"name": "total", "expression": "variables.numbers[0] + variables.numbers[1]"},
        {"name": "twice", "expression": "variables.total * 2"},
        {"name": "broken", "expression": "object.spec.nothing"},
    ]
    await validate(rig, rule(expression), variables=variables)
    status, body, _ = await rig.http("POST", MAPS, config_map("a", x="1", y="2"))
    assert status == 201, body["message"]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (
            "object.spec.x == 1",
            "expression 'object.spec.x == 1' resulted in error: no such key: spec",
        ),
        (
            "variables.v == 1",
            (
                "expression 'variables.v == 1' resulted in error: composited variable \"v\" fails to "
                "evaluate: no such key: spec"
            ),
        ),
    ],
)
@pytest.mark.parametrize("failure_policy", ["Fail", "Ignore"])
async def test_what_cannot_be_evaluated(rig: Rig, expression: str, text: str, failure_policy: str) -> None:
    variables = [{"name": "v", "expression": "object.spec.v"}]
    await validate(rig, rule(expression), variables=variables, failurePolicy=failure_policy)
    status, body, _ = await rig.http("POST", MAPS, config_map("a"))
    if failure_policy == "Ignore":
        assert status == 201
    else:
        assert (status, body["message"]) == (422, DENIED + text)


async def test_conditions_come_first(rig: Rig) -> None:
    conditions = [{"name": "named", "expression": "object.metadata.name.startsWith('x')"}]
    await validate(rig, rule("false"), matchConditions=conditions)
    assert (await rig.http("POST", MAPS, config_map("a")))[0] == 201
    assert (await rig.http("POST", MAPS, config_map("x")))[0] == 422


async def test_warnings_and_notes(rig: Rig) -> None:
    await put(
        rig,
        policy("Validating", validations=[rule("false", message="beware")]),
        binding("Validating", validationActions=["Warn", "Audit"]),
    )
    status, _, headers = await rig.http("POST", MAPS, config_map("a"))
    assert status == 201
    text = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': beware"
    assert headers.getall("Warning") == [f'299 - "{text}"']


async def test_updates_compare(rig: Rig) -> None:
    await validate(rig, rule("oldObject == null || object.data.x >= oldObject.data.x"))
    await rig.http("POST", MAPS, config_map("a", x="5"))
    headers = {"Content-Type": "application/merge-patch+json"}
    assert (await rig.http("PATCH", f"{MAPS}/a", '{"data":{"x":"4"}}', headers=headers))[0] == 422
    assert (await rig.http("PATCH", f"{MAPS}/a", '{"data":{"x":"6"}}', headers=headers))[0] == 200


PARAM_KIND = {"apiVersion": "v1", "kind": "ConfigMap"}
NOT_FOUND = (
    "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
)


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        ({"name": "limit", "namespace": "default"}, "at most 1"),
        ({"name": "limit"}, "at most 1"),
        ({"selector": {"matchLabels": {"is": "limit"}}}, "at most 1"),
        ({"name": "none", "parameterNotFoundAction": "Deny"}, NOT_FOUND),
        ({"name": "none", "parameterNotFoundAction": "Allow"}, ""),
    ],
)
async def test_parameters(rig: Rig, ref: Object, text: str) -> None:
    limit = config_map("limit", max="1")
    limit["metadata"]["labels"] = {"is": "limit"}
    await rig.http("POST", MAPS, limit)
    validation = rule(
        "object.data.size() <= int(params.data.max)", messageExpression="'at most ' + params.data.max"
    )
    ref = {"parameterNotFoundAction": "Deny", **ref}
    await put(
        rig,
        policy("Validating", validations=[validation], paramKind=PARAM_KIND),
        binding("Validating", paramRef=ref),
    )
    status, body, _ = await rig.http("POST", MAPS, config_map("a", x="1", y="2"))
    assert (status, body.get("message", "")) == (422, DENIED + text) if text else (status == 201)


async def test_a_kind_of_parameters_nobody_knows(rig: Rig) -> None:
    await validate(rig, rule("true"), paramKind={"apiVersion": "a.example.com/v1", "kind": "Limit"})
    _, body, _ = await rig.http("POST", MAPS, config_map("a"))
    assert body["message"] == (
        "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: failed to configure "
        "policy: failed to find resource referenced by paramKind: 'a.example.com/v1, Kind=Limit'"
    )


async def test_what_bindings_leave_out(rig: Rig) -> None:
    selector = {"namespaceSelector": {"matchLabels": {"strict": "yes"}}}
    excluded = {
        "excludeResourceRules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["configmaps"],
                "operations": ["*"],
                "resourceNames": ["spared"],
            }
        ]
    }
    await put(
        rig,
        policy("Validating", validations=[rule("false")]),
        binding("Validating", matchResources={**selector, **excluded}),
    )
    strict = {"metadata": {"name": "strict", "labels": {"strict": "yes"}}}
    await rig.http("POST", "/api/v1/namespaces", strict)
    at = "/api/v1/namespaces/strict/configmaps"
    assert (await rig.http("POST", MAPS, config_map("a")))[0] == 201
    assert (await rig.http("POST", at, config_map("a", "strict")))[0] == 422
    assert (await rig.http("POST", at, config_map("spared", "strict")))[0] == 201


async def test_policies_without_bindings_do_nothing_and_changes_count_at_once(rig: Rig) -> None:
    await put(rig, policy("Validating", validations=[rule("false")]))
    assert (await rig.http("POST", MAPS, config_map("a")))[0] == 201
    await put(rig, binding("Validating"))
    assert (await rig.http("POST", MAPS, config_map("b")))[0] == 422
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/p"
    patch = '{"spec":{"validations":[{"expression":"true"}]}}'
    headers = {"Content-Type": "application/merge-patch+json"}
    assert (await rig.http("PATCH", path, patch, headers=headers))[0] == 200
    assert (await rig.http("POST", MAPS, config_map("b")))[0] == 201
    assert (await rig.http("DELETE", path))[0] == 200


async def test_callers_in_the_process_are_held_to_it_too(rig: Rig) -> None:
    await validate(rig, rule("request.userInfo.username != 'admin'"))
    with pytest.raises(ApiError) as caught:
        await rig.admin.create(CONFIG_MAPS, config_map("a"))
    assert caught.value.code == 422
    assert ALICE.name != "admin"
