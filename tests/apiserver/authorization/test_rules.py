"""RBAC's pure part by tables."""

from __future__ import annotations

import random

import pytest

from wherry.apiserver.authorization.rules import Rules, rule_allows, show_rule
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


@pytest.mark.parametrize("names", [["a"], [""], ["a", ""], ["\0"]], ids=repr)
def test_what_holds_for_some_names_does_not_hold_for_any(names: list[str]) -> None:
    assert rule_allows(PODS_READER, asks("get", "pods", name="b"), of_any_name=True)
    named = {**PODS_READER, "resourceNames": names}
    assert not rule_allows(named, asks("get", "pods"), of_any_name=True)
    assert not Rules([named]).allow(asks("get", "pods", name=names[0]), of_any_name=True)
    assert Rules([named, PODS_READER]).allow(asks("get", "pods"), of_any_name=True)


def test_rules_are_shown_as_upstream_shows_them() -> None:
    assert show_rule(PODS_READER) == '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}'


def test_rules_together_allow_what_one_of_them_does() -> None:
    choose = random.Random(5)

    def some(values: list[str]) -> list[str]:
        return choose.sample(values, choose.randint(1, len(values)))

    def rule() -> Object:
        if choose.random() < 0.2:
            return {"verbs": some(["get", "*"]), "nonResourceURLs": some(["/a", "/b/*", "*"])}
        resources = ["pods", "pods/log", "*/scale", "deployments/scale", "*"]
        return {
            "verbs": some(["get", "list", "*"]),
            "apiGroups": some(["", "apps"]),
            "resources": some(resources),
        }

    asked = [
        *(asks(verb, resource, group) for verb in ("get", "delete") for group in ("", "apps", "batch")
          for resource in ("pods", "pods/log", "deployments", "deployments/scale", "jobs/scale")),
        *(RequestInfo("get", path, False) for path in ("/a", "/b/c", "/d")),
    ]  # fmt: skip
    for _ in range(200):
        rules = [rule() for _ in range(choose.randint(0, 3))]
        together = Rules(rules)
        for info in asked:
            assert together.allow(info) == any(rule_allows(one, info) for one in rules)


def test_a_rule_that_stands_twice_is_held_once() -> None:
    other = {**PODS_READER, "verbs": ["delete"]}
    swapped = dict(reversed(PODS_READER.items()))
    assert Rules([PODS_READER, other, swapped]).every == (PODS_READER, other)
