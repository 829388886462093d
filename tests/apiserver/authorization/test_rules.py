"""RBAC's pure part by tables."""

from __future__ import annotations

import pytest

from wherry.apiserver.authorization.rules import rule_allows, show_rule
from wherry.apiserver.request import RequestInfo
from wherry.objects.meta import Object

PODS_READER = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}


def asks(verb: str, resource: str, group: str = "", name: str = "") -> RequestInfo:
    plural, _, subresource = resource.partition("/")
    return RequestInfo(verb, "", True, group, "v1", "default", plural, name, subresource)


@pytest.mark.parametrize(
    ("rule", "info", "allowed"),
    [
        (PODS_READER, asks("get", "pods"), True),
        (PODS_READER, asks("delete", "pods"), False),
        (PODS_READER, asks("get", "pods/log"), False),
        (PODS_READER, asks("get", "pods", "apps"), False),
        (PODS_READER, asks("get", "secrets"), False),
        ({**PODS_READER, "resources": ["pods/log"]}, asks("get", "pods/log"), True),
        ({**PODS_READER, "resources": ["*/scale"]}, asks("get", "deployments/scale"), True),
        ({**PODS_READER, "resources": ["*/scale"]}, asks("get", "deployments"), False),
        ({**PODS_READER, "resources": ["*"]}, asks("get", "pods/log"), True),
        ({**PODS_READER, "verbs": ["*"]}, asks("delete", "pods"), True),
        ({**PODS_READER, "resourceNames": ["a"]}, asks("get", "pods", name="a"), True),
        ({**PODS_READER, "resourceNames": ["a"]}, asks("get", "pods", name="b"), False),
        ({**PODS_READER, "resourceNames": ["a"]}, asks("list", "pods"), False),
        ({"verbs": ["get"], "nonResourceURLs": ["/a/*"]}, RequestInfo("get", "/a/b", False), True),
        ({"verbs": ["get"], "nonResourceURLs": ["/a"]}, RequestInfo("get", "/a/b", False), False),
        ({"verbs": ["get"], "nonResourceURLs": ["*"]}, RequestInfo("get", "/metrics", False), True),
        ({"verbs": ["*"], "nonResourceURLs": ["*"]}, asks("get", "pods"), False),
    ],
)  # fmt: skip
def test_rules(rule: Object, info: RequestInfo, allowed: bool) -> None:
    assert rule_allows(rule, info) is allowed


def test_rules_are_shown_as_upstream_shows_them() -> None:
    assert show_rule(PODS_READER) == '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}'
