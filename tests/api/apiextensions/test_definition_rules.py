"""Definitions in detail, held against upstream's words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.apiextensions.custom_resource_definitions import CUSTOM_RESOURCE_DEFINITIONS

STRATEGY = CUSTOM_RESOURCE_DEFINITIONS.strategy
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"spec": {"type": "object"}}}
V1 = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}
V2 = {**V1, "name": "v2", "storage": False}
HOOK = {"clientConfig": {"url": "https://h/x"}, "conversionReviewVersions": ["v1"]}


def crd(group: str = "example.com", annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    names = {"plural": "boats", "kind": "Boat"}
    obj = {
        "metadata": {"name": f"boats.{group}", "resourceVersion": "1", "annotations": annotations or {}},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [V1], **spec},
    }
    STRATEGY.default(obj)
    STRATEGY.prepare(obj, None)
    return obj


def version(**fields: Any) -> dict[str, Any]:
    return crd(versions=[{**V1, **fields}])


def told(obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    return [str(error) for error in STRATEGY.validate(obj, old)]


def schema(**fields: Any) -> dict[str, Any]:
    return {"schema": {"openAPIV3Schema": {**SCHEMA, **fields}}}


NEEDED = 'protected groups must have approval annotation "api-approved.kubernetes.io"'
SEE = "see https://github.com/kubernetes/enhancements/pull/1111"
RULES = "x-kubernetes-validations"
APPROVED = "metadata.annotations[api-approved.kubernetes.io]"


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (crd(), ""),
        (crd("a.k8s.io"), f"{APPROVED}: Required value: {NEEDED}, {SEE}"),
        (
            crd("a.k8s.io", {"api-approved.kubernetes.io": "yes"}),
            (
                f'{APPROVED}: Invalid value: "yes": {NEEDED} with either a URL or a reason starting with '
                f'"unapproved", {SEE}'
            ),
        ),
        (crd("a.k8s.io", {"api-approved.kubernetes.io": "unapproved, experimental-only"}), ""),
        (crd("a.k8s.io", {"api-approved.kubernetes.io": "https://github.com/x/y/pull/1"}), ""),
        (
            version(deprecationWarning="old"),
            (
                'spec.versions[0].deprecationWarning: Invalid value: "old": '
                "can only be set for deprecated versions"
            ),
        ),
        (
            version(deprecated=True, deprecationWarning=""),
            'spec.versions[0].deprecationWarning: Invalid value: "": must not be an empty string',
        ),
        (
            version(**schema(type="")),
            "spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root",
        ),
        (
            crd(versions=[V1, {**V2, **schema(type="")}]),
            "spec.versions[1].schema.openAPIV3Schema.type: Required value: must not be empty at the root",
        ),
        (
            version(additionalPrinterColumns=[{"name": "A", "type": "string"}]),
            "spec.additionalPrinterColumns[0].JSONPath: Required value",
        ),
        (
            version(selectableFields=[{"jsonPath": ".spec"}]),
            (
                'spec.selectableFields[0].jsonPath: Invalid value: ".spec": must point to a '
                "field of type string, "
                "boolean or integer. Enum string fields and strings with formats are allowed."
            ),
        ),
        (
            version(subresources={"scale": {"statusReplicasPath": ".status.n"}}),
            "spec.subresources.scale.specReplicasPath: Required value",
        ),
        (
            crd(conversion={"strategy": "None", "webhook": {"clientConfig": {}}}),
            (
                "spec.conversion.webhookClientConfig: Forbidden: "
                "should not be set when strategy is not set to Webhook"
            ),
        ),
        (crd(conversion={}), "spec.conversion.strategy: Required value"),
        (crd(conversion={"strategy": "Webhook", "webhook": HOOK}), ""),
        (
            crd(conversion={"strategy": "Webhook", "webhook": {**HOOK, "conversionReviewVersions": ["v9"]}}),
            (
                'spec.conversion.conversionReviewVersions: Invalid value: ["v9"]: '
                "must include at least one of v1, v1beta1"
            ),
        ),
        (
            crd(conversion={"strategy": "Webhook", "webhook": {**HOOK, "clientConfig": {}}}),
            "spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required",
        ),
    ],
)
def test_definitions(obj: dict[str, Any], text: str) -> None:
    assert told(obj) == ([text] if text else [])


def test_versions_have_names_of_their_own() -> None:
    texts = told(crd(versions=[V1, {**V1, "storage": False}]))
    assert [text.rpartition(": ")[2] for text in texts] == ["must contain unique version names"]


def test_the_root_of_a_schema_with_a_status_is_plain() -> None:
    root = schema(anyOf=[{"required": ["spec"]}])
    (text,) = told(version(**root, subresources={"status": {}}))
    assert "fields are allowed at the root of the schema if the status subresource is enabled" in text
    assert told(version(**root)) == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"rule": "1"}, "cel expression must evaluate to a bool"),
        ({"rule": "true", "messageExpression": "true"}, "messageExpression must evaluate to a string"),
        (
            {"rule": "self.matches('*')"},
            (
                "compilation failed: ERROR: <input>:1:14: invalid matches argument\n"
                " | self.matches('*')\n | .............^"
            ),
        ),
        (
            {"rule": "self.find('*') == ''"},
            (
                "program instantiation failed: error parsing regexp: "
                "missing argument to repetition operator: `*`"
            ),
        ),
    ],
)
def test_rules_are_compiled(rule: dict[str, Any], text: str) -> None:
    properties = {"spec": {"type": "string", RULES: [rule]}}
    (error,) = told(version(**schema(properties=properties)))
    assert error.endswith(text)


def test_what_stays() -> None:
    old = crd()
    old["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    new = copy.deepcopy(old)
    new["spec"]["scope"] = "Cluster"
    new["spec"]["names"]["kind"] = "Ship"
    new["spec"]["versions"] = [{**V2, "storage": True}]
    STRATEGY.prepare(new, old)
    assert [text.partition(":")[0] for text in told(new, old)] == [
        "spec.scope",
        "spec.names.kind",
        "status.storedVersions[0]",
    ]
