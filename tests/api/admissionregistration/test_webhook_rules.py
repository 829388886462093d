"""Webhook configurations in detail, and what an update may keep."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.admissionregistration.mutating_webhook_configurations import MUTATING_WEBHOOK_CONFIGURATIONS

STRATEGY = MUTATING_WEBHOOK_CONFIGURATIONS.strategy
RULE = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}


def configuration(**fields: Any) -> dict[str, Any]:
    hook = {
        "name": "hook.example.com",
        "clientConfig": {"url": "https://h/x"},
        "rules": [RULE],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **fields,
    }
    obj = {"metadata": {"name": "c", "resourceVersion": "1"}, "webhooks": [hook]}
    STRATEGY.default(obj)
    return obj


def told(obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    return [str(error).removeprefix("webhooks[0].") for error in STRATEGY.validate(obj, old)]


def service(**fields: Any) -> dict[str, Any]:
    return {"clientConfig": {"service": {"name": "s", "namespace": "n", **fields}}}


def resources(*names: str) -> dict[str, Any]:
    return {"rules": [{**RULE, "resources": list(names)}]}


FORM = "; desired format: https://host[/path]"


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        ({}, []),
        ({"name": ""}, ["name: Required value"]),
        (
            {"clientConfig": {"url": "http://"}},
            [
                f"clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme{FORM}",
                f'clientConfig.url: Invalid value: "": host must be provided{FORM}',
            ],
        ),
        (
            {"clientConfig": {"url": "https://u:p@h/x?a=b#c"}},
            [
                'clientConfig.url: Invalid value: "u:p": user information is not permitted in the URL',
                'clientConfig.url: Invalid value: "c": fragments are not permitted in the URL',
                'clientConfig.url: Invalid value: "a=b": query parameters are not permitted in the URL',
            ],
        ),
        (
            service(namespace=""),
            ["clientConfig.service.namespace: Required value: service namespace is required"],
        ),
        (
            service(port=0),
            [
                (
                    "clientConfig.service.port: Invalid value: 0: "
                    "port is not valid: must be between 1 and 65535, inclusive"
                )
            ],
        ),
        (
            service(path="/a//b"),
            ['clientConfig.service.path: Invalid value: "/a//b": segment[1] may not be empty'],
        ),
        (
            service(path="a"),
            [
                "clientConfig.service.path: Invalid value: \"a\": must start with a '/'",
                'clientConfig.service.path: Invalid value: "a": segment[0] may not be empty',
            ],
        ),
        (
            resources("pods/*", "pods/log"),
            [
                (
                    'rules[0].resources[1]: Invalid value: "pods/log": '
                    "if 'pods/*' is present, must not specify pods/log"
                )
            ],
        ),
        (
            resources("*/*", "pods"),
            [
                (
                    'rules[0].resources: Invalid value: ["*/*","pods"]: '
                    "if '*/*' is present, must not specify other resources"
                )
            ],
        ),
        (
            resources("*", "pods"),
            [
                (
                    'rules[0].resources: Invalid value: ["*","pods"]: '
                    "if '*' is present, must not specify other resources without subresources"
                )
            ],
        ),
        (
            {"reinvocationPolicy": "Often"},
            ['reinvocationPolicy: Unsupported value: "Often": supported values: "IfNeeded", "Never"'],
        ),
        (
            {"sideEffects": None},
            ["sideEffects: Required value: must specify one of None, NoneOnDryRun"],
        ),
        (
            {"admissionReviewVersions": ["v1", "v1"]},
            ['admissionReviewVersions[1]: Invalid value: "v1": duplicate version'],
        ),
        (
            {"matchConditions": [{"name": "c", "expression": "params.x"}]},
            [
                (
                    'matchConditions[0].expression: Invalid value: "params.x": compilation failed: '
                    "ERROR: <input>:1:1: undeclared reference to 'params' (in container '')\n | "
                    "params.x\n | ^"
                )
            ],
        ),
    ],
)
def test_webhooks(fields: dict[str, Any], texts: list[str]) -> None:
    assert told(configuration(**fields)) == texts


@pytest.mark.parametrize(
    "fields",
    [
        {"sideEffects": "Some"},
        {"admissionReviewVersions": ["v0"]},
        {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["-"]}]}},
        {"matchConditions": [{"name": "c", "expression": "undeclared"}]},
    ],
)
def test_an_update_may_keep_what_is_stored(fields: dict[str, Any]) -> None:
    old = configuration(**fields)
    assert len(told(copy.deepcopy(old))) == 1
    new = copy.deepcopy(old)
    new["webhooks"][0]["timeoutSeconds"] = 7
    assert told(new, old) == []
