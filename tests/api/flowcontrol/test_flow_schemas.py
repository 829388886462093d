"""Flow schemas, held against upstream's words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.flowcontrol.flow_schemas import FIXED, FLOW_SCHEMAS

SUBJECT = {"kind": "User", "user": {"name": "u"}}
RESOURCES = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["*"]}


def schema(name: str = "s", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"priorityLevelConfiguration": {"name": "l"}, **spec}}


def rule(**fields: Any) -> dict[str, Any]:
    return schema(rules=[{"subjects": [SUBJECT], "resourceRules": [RESOURCES], **fields}])


def resources(**fields: Any) -> dict[str, Any]:
    return rule(resourceRules=[{**RESOURCES, **fields}])


def urls(*found: str) -> dict[str, Any]:
    return rule(nonResourceRules=[{"verbs": ["*"], "nonResourceURLs": list(found)}])


def told(obj: dict[str, Any]) -> list[str]:
    FLOW_SCHEMAS.strategy.default(obj)
    return [str(error) for error in FLOW_SCHEMAS.strategy.validate(obj, None)]


URL = "spec.rules[0].nonResourceRules[0].nonResourceURLs"
RULE = "spec.rules[0].resourceRules[0]"
WHO = "spec.rules[0].subjects[0]"


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (
            schema(matchingPrecedence=-1),
            "spec.matchingPrecedence: Invalid value: -1: must be a positive value",
        ),
        (
            schema(matchingPrecedence=10001),
            "spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000",
        ),
        (
            schema(matchingPrecedence=1),
            (
                "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have "
                "matchingPrecedence 1"
            ),
        ),
        (
            schema(distinguisherMethod={"type": "ByMood"}),
            (
                'spec.distinguisherMethod.type: Unsupported value: {"type":"ByMood"}: supported values: '
                '"ByNamespace", "ByUser"'
            ),
        ),
        (
            schema(priorityLevelConfiguration={}),
            "spec.priorityLevelConfiguration.name: Required value: must reference a priority level",
        ),
        (
            rule(subjects=[]),
            "spec.rules[0].subjects: Required value: subjects must contain at least one value",
        ),
        (
            rule(resourceRules=[]),
            (
                "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be "
                "non-empty"
            ),
        ),
        (
            rule(subjects=[{"kind": "Robot"}]),
            f'{WHO}.kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"',
        ),
        (
            rule(subjects=[{"kind": "Group"}]),
            f"{WHO}.group: Required value: group is required when subject kind is 'Group'",
        ),
        (
            rule(subjects=[{**SUBJECT, "group": {"name": "g"}}]),
            f"{WHO}.group: Forbidden: group is forbidden when subject kind is not 'Group'",
        ),
        (
            rule(subjects=[{"kind": "ServiceAccount", "serviceAccount": {"name": "*"}}]),
            f"{WHO}.serviceAccount.namespace: Required value: must specify namespace for service account",
        ),
        (
            resources(verbs=["fly"]),
            (
                f'{RULE}.verbs: Unsupported value: ["fly"]: supported values: "create", "delete", '
                '"deletecollection", "get", "list", "patch", "proxy", "update", "watch"'
            ),
        ),
        (
            resources(verbs=["*", "get"]),
            f'{RULE}.verbs: Invalid value: ["*","get"]: if \'*\' is present, must not specify other verbs',
        ),
        (
            resources(namespaces=[]),
            (
                f"{RULE}.namespaces: Required value: resource rules that are not cluster "
                "scoped must supply at "
                "least one namespace"
            ),
        ),
        (urls("healthz"), f'{URL}[0]: Invalid value: "healthz": must start with slash'),
        (urls("/a//b"), f'{URL}[0]: Invalid value: "/a//b": must not contain double slash'),
        (urls("/a*"), f'{URL}[0]: Invalid value: "/a*": wildcard can only do suffix matching'),
        (urls("/a b"), f'{URL}[0]: Invalid value: "/a b": must not contain white-space'),
        (
            urls("*", "/a"),
            (
                f'{URL}: Invalid value: ["*","/a"]: if \'*\' is present, must not specify '
                "other non-resource URLs"
            ),
        ),
    ],
)
def test_schemas_that_are_refused(obj: dict[str, Any], text: str) -> None:
    assert told(obj) == [text]


def test_schemas_that_are_fine() -> None:
    assert told(rule()) == []
    assert told(urls("/healthz", "/a/*", "/")) == []
    assert told(resources(namespaces=[], clusterScope=True)) == []


@pytest.mark.parametrize("name", ["exempt", "catch-all"])
def test_what_must_be_there_is_as_it_is(name: str) -> None:
    fixed = {"metadata": {"name": name}, "spec": copy.deepcopy(FIXED[name])}
    assert told(fixed) == []
    fixed["spec"]["rules"][0]["subjects"].append(SUBJECT)
    assert [text.rpartition(": ")[2] for text in told(fixed)] == [
        f"spec of '{name}' must equal the fixed value"
    ]


def test_conditions_have_types_of_their_own() -> None:
    old = {**schema(), "metadata": {"name": "s", "resourceVersion": "1"}}
    new = {**old, "status": {"conditions": [{"type": "A"}, {"type": "A"}, {}]}}
    assert [str(error) for error in FLOW_SCHEMAS.strategy.validate_status(new, old)] == [
        'status.conditions[1].type: Duplicate value: "A"',
        "status.conditions[2].type: Required value: must not be empty",
    ]
