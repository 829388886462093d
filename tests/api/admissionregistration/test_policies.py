"""Admission policies, held against upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.admissionregistration.mutating_admission_policies import MUTATING_ADMISSION_POLICIES
from wherry.api.admissionregistration.validating_admission_policies import VALIDATING_ADMISSION_POLICIES
from wherry.api.admissionregistration.validating_admission_policy_bindings import (
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)
from wherry.api.resource import Resource

RULE = {"operations": ["CREATE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}


def policy(**spec: Any) -> dict[str, Any]:
    fine = {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": "true"}]}
    return {"metadata": {"name": "p"}, "spec": {**fine, **spec}}


def checks(expression: str, **fields: Any) -> dict[str, Any]:
    return policy(validations=[{"expression": expression, **fields}])


def mutating(*mutations: dict[str, Any], **spec: Any) -> dict[str, Any]:
    match = {"resourceRules": [RULE]}
    return {
        "metadata": {"name": "p"},
        "spec": {
            "matchConstraints": match,
            "reinvocationPolicy": "Never",
            "mutations": list(mutations),
            **spec,
        },
    }


def told(obj: dict[str, Any], resource: Resource = VALIDATING_ADMISSION_POLICIES) -> list[str]:
    resource.strategy.default(obj)
    return [str(error) for error in resource.strategy.validate(obj, None)]


def undeclared(name: str, source: str, at: int = 1) -> str:
    shown = "." * (at - 1)
    where = f"ERROR: <input>:1:{at}: undeclared reference to '{name}' (in container '')"
    return f"compilation failed: {where}\n | {source}\n | {shown}^"


NOTHING = "Required value: validations or auditAnnotations must contain at least one item"


@pytest.mark.parametrize(
    ("obj", "texts"),
    [
        (policy(matchConstraints=None), ["spec.matchConstraints: Required value"]),
        (policy(matchConstraints={}), ["spec.matchConstraints.resourceRules: Required value"]),
        (
            policy(failurePolicy="Shrug"),
            ['spec.failurePolicy: Unsupported value: "Shrug": supported values: "Fail", "Ignore"'],
        ),
        (
            policy(validations=[]),
            [f"spec.validations: {NOTHING}", f"spec.auditAnnotations: {NOTHING}"],
        ),
        (checks(" "), ["spec.validations[0].expression: Required value: expression is not specified"]),
        (
            checks("foo == 1"),
            [f'spec.validations[0].expression: Invalid value: "foo == 1": {undeclared("foo", "foo == 1")}'],
        ),
        (
            checks("params.x == 1"),
            [
                'spec.validations[0].expression: Invalid value: "params.x == 1": '
                + undeclared("params", "params.x == 1")
            ],
        ),
        (
            checks("object.fly()"),
            [
                'spec.validations[0].expression: Invalid value: "object.fly()": '
                + undeclared("fly", "object.fly()", 11)
            ],
        ),
        (
            checks("'a'"),
            ["spec.validations[0].expression: Invalid value: \"'a'\": must evaluate to bool but got string"],
        ),
        (
            checks("true", messageExpression="1 + 1"),
            [
                (
                    'spec.validations[0].messageExpression: Invalid value: "1 + 1": '
                    "must evaluate to string but got int"
                )
            ],
        ),
        (
            checks("true", messageExpression="string(authorizer)"),
            [
                'spec.validations[0].messageExpression: Invalid value: "string(authorizer)": '
                + undeclared("authorizer", "string(authorizer)", 8)
            ],
        ),
        (
            checks("true", message="a\nb"),
            [
                'spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks',
            ],
        ),
        (
            checks("true", reason="Bored"),
            [
                (
                    'spec.validations[0].reason: Unsupported value: "Bored": supported values: "Forbidden", '
                    '"Invalid", "RequestEntityTooLarge"'
                )
            ],
        ),
        (
            checks("object.name.matches('(')"),
            [
                (
                    "spec.validations[0].expression: Invalid value: \"object.name.matches('(')\": "
                    "compilation failed: ERROR: <input>:1:21: invalid matches argument\n"
                    " | object.name.matches('(')\n"
                    " | ....................^"
                )
            ],
        ),
        (
            policy(variables=[{"name": "for", "expression": "1"}]),
            ['spec.variables[0].name: Invalid value: "for": name is not a valid CEL identifier'],
        ),
        (
            policy(variables=[{"name": "a", "expression": "variables.b"}, {"name": "b", "expression": "1"}]),
            [
                (
                    'spec.variables[0].expression: Invalid value: "variables.b": compilation failed: '
                    "ERROR: <input>:1:10: undefined field 'b'\n | variables.b\n | .........^"
                )
            ],
        ),
        (
            policy(matchConditions=[{"name": "a b", "expression": "1"}, {"name": "c"}]),
            [
                'spec.matchConditions[0].expression: Invalid value: "1": must evaluate to bool but got int',
                (
                    'spec.matchConditions[0].name: Invalid value: "a b": name part must consist '
                    "of alphanumeric "
                    "characters, '-', '_' or '.', and must start and end with an alphanumeric "
                    "character (e.g. "
                    "'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
                ),
                "spec.matchConditions[1].expression: Required value",
            ],
        ),
        (
            policy(paramKind={"apiVersion": "a/b/c"}),
            [
                'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
                "spec.paramKind.kind: Required value",
            ],
        ),
        (
            policy(auditAnnotations=[{"key": "k", "valueExpression": "1"}, {"key": "k"}]),
            [
                (
                    'spec.auditAnnotations[0].valueExpression: Invalid value: "1": '
                    "must evaluate to one of [string null_type] but got int"
                ),
                "spec.auditAnnotations[1].valueExpression: Required value: valueExpression is not specified",
                'spec.auditAnnotations[1].key: Duplicate value: "k"',
            ],
        ),
        (
            policy(matchConstraints={"resourceRules": [{**RULE, "resourceNames": ["a", "a/b", "a"]}]}),
            [
                (
                    "spec.matchConstraints.resourceRules[0].resourceNames[1]: Invalid value: "
                    "\"a/b\": may not contain '/'"
                ),
                'spec.matchConstraints.resourceRules[0].resourceNames[2]: Duplicate value: "a"',
            ],
        ),
    ],
)
def test_policies_that_are_refused(obj: dict[str, Any], texts: list[str]) -> None:
    assert told(obj) == texts


@pytest.mark.parametrize(
    "obj",
    [
        checks("object.spec.replicas <= 5"),
        checks("object.spec.template.spec.containers.all(c, c.image.startsWith('r.io/'))"),
        checks("!has(object.metadata.labels) || 'x' in object.metadata.labels"),
        checks("authorizer.group('apps').resource('deployments').check('get').allowed()"),
        checks("authorizer.requestResource.check('custom').allowed()"),
        checks("request.userInfo.username != '' && namespaceObject.metadata.name != 'kube-system'"),
        checks("oldObject == null ? true : object.spec == oldObject.spec"),
        checks("object.spec.?replicas.orValue(1) > 0"),
        checks("[object.spec.replicas].all(n, n > 1 && n < 9)"),
        checks("quantity(object.x).isLessThan(quantity('1Gi')) && ip.isCanonical('10.0.0.1')"),
        checks("true", messageExpression="'got %d'.format([object.spec.replicas])"),
        policy(
            paramKind={"apiVersion": "rules.example.com/v1", "kind": "ReplicaLimit"},
            variables=[
                {"name": "env", "expression": "object.metadata.labels['env']"},
                {"name": "prod", "expression": "variables.env == 'prod'"},
            ],
            validations=[{"expression": "variables.prod || object.spec.replicas <= params.maxReplicas"}],
            auditAnnotations=[{"key": "high", "valueExpression": "variables.prod ? 'yes' : dyn(null)"}],
            matchConditions=[{"name": "not-us", "expression": "request.userInfo.username != params.who"}],
        ),
    ],
)
def test_policies_that_are_fine(obj: dict[str, Any]) -> None:
    assert told(obj) == []


APPLY = "Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.item{name: c.name})}}"
PATCH = '[JSONPatch{op: "add", path: "/spec/x", value: "y"}]'


@pytest.mark.parametrize(
    ("mutation", "text"),
    [
        ({"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": APPLY}}, ""),
        ({"patchType": "JSONPatch", "jsonPatch": {"expression": PATCH}}, ""),
        ({}, "spec.mutations[0].patchType: Required value"),
        (
            {"patchType": "Magic"},
            (
                'spec.mutations[0].patchType: Unsupported value: "Magic": supported values: '
                '"ApplyConfiguration", "JSONPatch"'
            ),
        ),
        (
            {"patchType": "JSONPatch"},
            "spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch",
        ),
        (
            {"patchType": "JSONPatch", "jsonPatch": {"expression": PATCH}, "applyConfiguration": {}},
            (
                'spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": '
                "must not be specified when patchType is JSONPatch"
            ),
        ),
        (
            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "true"}},
            (
                'spec.mutations[0].applyConfiguration.expression: Invalid value: "true": '
                "must evaluate to Object but got bool"
            ),
        ),
    ],
)
def test_mutations(mutation: dict[str, Any], text: str) -> None:
    assert told(mutating(mutation), MUTATING_ADMISSION_POLICIES) == ([text] if text else [])


def test_mutating_policies_change_something_and_say_how_often() -> None:
    assert told(mutating(reinvocationPolicy="Always"), MUTATING_ADMISSION_POLICIES) == [
        "spec.mutations: Required value: mutations must contain at least one item",
        'spec.reinvocationPolicy: Unsupported value: "Always": supported values: "IfNeeded", "Never"',
    ]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({}, ""),
        ({"policyName": ""}, "spec.policyName: Required value"),
        (
            {"validationActions": ["Deny", "Deny"]},
            'spec.validationActions[1]: Duplicate value: "Deny"',
        ),
        (
            {"validationActions": ["Deny", "Warn"]},
            (
                'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn '
                "(repeating the same validation failure information in the API response and "
                "headers serves no "
                "purpose)"
            ),
        ),
        (
            {"paramRef": {"parameterNotFoundAction": "Deny"}},
            "spec.paramRef: Required value: one of name or selector must be specified",
        ),
        (
            {"paramRef": {"name": "x"}},
            "spec.paramRef.parameterNotFoundAction: Required value",
        ),
        (
            {"matchResources": {"matchPolicy": "Loose"}},
            (
                'spec.matchResources.matchPolicy: Unsupported value: "Loose": supported '
                'values: "Equivalent", '
                '"Exact"'
            ),
        ),
    ],
)
def test_bindings(spec: dict[str, Any], text: str) -> None:
    obj = {"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"], **spec}}
    assert told(obj, VALIDATING_ADMISSION_POLICY_BINDINGS) == ([text] if text else [])
