"""Webhooks and admission policies."""

from typing import Any

import pytest

from tests.api.objects import cells, create, make
from wherry.api.admissionregistration.mutating_webhook_configurations import MUTATING_WEBHOOK_CONFIGURATIONS
from wherry.api.admissionregistration.validating_admission_policies import VALIDATING_ADMISSION_POLICIES
from wherry.api.admissionregistration.validating_admission_policy_bindings import (
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)

HOOK: dict[str, Any] = {
    "name": "hook.example.com",
    "clientConfig": {"service": {"name": "s", "namespace": "n"}},
    "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}


def test_defaults() -> None:
    obj, errors = create(
        MUTATING_WEBHOOK_CONFIGURATIONS, make(MUTATING_WEBHOOK_CONFIGURATIONS, webhooks=[dict(HOOK)])
    )
    assert errors == []
    (hook,) = obj["webhooks"]
    assert (hook["failurePolicy"], hook["matchPolicy"], hook["timeoutSeconds"]) == ("Fail", "Equivalent", 10)
    assert hook["reinvocationPolicy"] == "Never"
    assert hook["clientConfig"]["service"]["port"] == 443
    assert hook["rules"][0]["scope"] == "*"
    assert cells(MUTATING_WEBHOOK_CONFIGURATIONS, obj)["Webhooks"] == 1


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (
            {"name": "short"},
            (
                'webhooks[0].name: Invalid value: "short": '
                "should be a domain with at least three segments separated by dots"
            ),
        ),
        (
            {"timeoutSeconds": 31},
            (
                "webhooks[0].timeoutSeconds: Invalid value: 31: "
                "the timeout value must be between 1 and 30 seconds"
            ),
        ),
        (
            {"clientConfig": {}},
            "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
        ),
        (
            {"sideEffects": "Some"},
            'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
        ),
    ],
)
def test_refused(parts: dict[str, Any], text: str) -> None:
    obj = make(MUTATING_WEBHOOK_CONFIGURATIONS, webhooks=[{**HOOK, **parts}])
    assert create(MUTATING_WEBHOOK_CONFIGURATIONS, obj)[1] == [text]


def test_policies() -> None:
    spec = {"matchConstraints": {"resourceRules": HOOK["rules"]}, "validations": [{"expression": "true"}]}
    obj, errors = create(VALIDATING_ADMISSION_POLICIES, make(VALIDATING_ADMISSION_POLICIES, spec=spec))
    assert errors == []
    row = cells(VALIDATING_ADMISSION_POLICIES, obj)
    assert (row["Validations"], row["ParamKind"]) == (1, "<unset>")


def test_bindings_need_an_action() -> None:
    obj = make(VALIDATING_ADMISSION_POLICY_BINDINGS, spec={"policyName": "p"})
    assert create(VALIDATING_ADMISSION_POLICY_BINDINGS, obj)[1] == [
        "spec.validationActions: Required value: at least one validation action is required"
    ]
