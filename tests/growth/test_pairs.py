"""What the cluster holds and what is asked of it: n and 4n on both sides cost no product of the two."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from tests.growth.meter import Counted, step_growth
from wherry.api.core.pods import PODS
from wherry.api.quota.catalog import evaluator_for
from wherry.apiserver.admission.limit_bounds import Bounds
from wherry.apiserver.admission.limit_ranger import set_defaults
from wherry.apiserver.admission.policies.matching import candidates
from wherry.apiserver.admission.policies.policy import Binding, Policy, binding_of, policy_of
from wherry.apiserver.admission.resource_quota.plan import Demand, Refusal, reserve
from wherry.apiserver.authorization.coverage import Held
from wherry.apiserver.authorization.rules import Rules
from wherry.apiserver.request import RequestInfo
from wherry.controllers.cluster_role_aggregation import gather_rules
from wherry.objects.meta import Object
from wherry.objects.selectors import FieldSelector, Selector, parse_field_selector, parse_label_selector

SMALL = 20
Pair = tuple[Any, Any]


def _names(size: int, start: int = 0) -> list[str]:
    return [Counted(f"example.com/r{index}") for index in range(start, start + size)]


def _amounts(size: int, start: int = 0, value: str = "1") -> dict[str, str]:
    return dict.fromkeys(_names(size, start), value)


def _pod(size: int, resources: Callable[[int], Object]) -> Object:
    containers = [{"name": f"c{index}", "image": "i", "resources": resources(index)} for index in range(size)]
    return {"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": containers}}


def _silent(size: int) -> Object:
    return _pod(size, lambda _index: {})


def _speaking(size: int) -> Object:
    """Each container says something else, and only the first all."""
    first = {"requests": _amounts(size), "limits": _amounts(size)}
    return _pod(size, lambda index: first if not index else {"limits": _amounts(2, index, "9")})


def _limit_range(size: int, *fields: str) -> Object:
    return {"spec": {"limits": [{"type": "Container", **{field: _amounts(size) for field in fields}}]}}


def _judge_pod(pair: Pair) -> object:
    return Bounds(pair[0]).pod_problems(pair[1])


def _fill_in(pair: Pair) -> object:
    return set_defaults(pair[1], Bounds(pair[0]))


def _reserve(pair: Pair) -> object:
    evaluator = evaluator_for(PODS)
    assert evaluator is not None
    try:
        return reserve([pair[0]], Demand(evaluator, pair[1], None, datetime.now(UTC)))
    except Refusal as refusal:
        return refusal


def _quota(size: int) -> Object:
    hard = {f"requests.{name}": "1" for name in _names(size)} | {"pods": "9"}
    status = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    return {"metadata": {"name": "q", "namespace": "default"}, "status": status}


def _selector(size: int) -> Selector:
    """Requirements of every sort, of which the first is the last to fail."""
    texts = [f"!a{i},b{i}!=c,d{i} notin (e,f),g!=h{i},i>{i},j in (k,l{i})" for i in range(size)]
    return parse_label_selector(",".join(texts))


def _match(pair: Pair) -> object:
    selector, several = pair
    return [selector.matches(labels) for labels in several]


def _labels(size: int) -> list[dict[str, str]]:
    return [{"i": "1000000", "j": "k", "n": str(index)} for index in range(size)]


def _field_terms(size: int) -> FieldSelector:
    return parse_field_selector(",".join(f"metadata.name!=a{index}" for index in range(size)))


def _fields(size: int) -> list[dict[str, str]]:
    return [{"metadata.name": f"b{index}"} for index in range(size)]


def _policies(size: int) -> list[Policy]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    constraints = {"resourceRules": [rule]}
    return [
        policy_of({"metadata": {"name": Counted(f"p{index}")}, "spec": {"matchConstraints": constraints}})
        for index in range(size)
    ]


def _bindings(size: int) -> list[Binding]:
    return [
        binding_of({"metadata": {"name": f"b{index}"}, "spec": {"policyName": Counted(f"p{index}")}})
        for index in range(size)
    ]


def _find_policies(pair: Pair) -> object:
    return candidates(*pair, PODS, (), "", "CREATE")


def _aggregated(size: int) -> Object:
    """Selectors of every sort that look for a label."""
    selectors: list[Object] = []
    for index in range(size):
        selectors.append({"matchLabels": {Counted(f"a{index}"): "b"}})
        selectors.append({"matchExpressions": [{"key": Counted(f"c{index}"), "operator": "Exists"}]})
        values = [Counted(f"d{index}"), "e"]
        expression = {"key": Counted(f"f{index}"), "operator": "In", "values": values}
        selectors.append({"matchExpressions": [expression]})
    return {"metadata": {"name": "all"}, "aggregationRule": {"clusterRoleSelectors": selectors}}


def _roles(size: int) -> list[Object]:
    return [
        {
            "metadata": {
                "name": f"r{index}",
                "labels": {Counted(f"a{index}"): "b", Counted(f"c{index}"): ""},
            },
            "rules": [{"verbs": [f"v{number}"]} for number in range(index, index + 4)],
        }
        for index in range(size)
    ]


def _gather(pair: Pair) -> object:
    return gather_rules(*pair)


def _compare_rules(pair: Pair) -> object:
    held = Held(pair[0])
    return [list(islice(held.missing(rule), 100)) for rule in pair[1]]


def _rules(size: int, verb: str) -> list[Object]:
    return [
        {"apiGroups": [Counted(f"g{index}")], "resources": [Counted(f"r{index}")], "verbs": [verb]}
        for index in range(size)
    ]


def _ask_roles(pair: Pair) -> object:
    """Rules that allow none of the things that are asked."""
    rules = Rules(pair[0])
    return [rules.allow(info) for info in pair[1]]


def _asked(size: int) -> list[RequestInfo]:
    return [
        RequestInfo("get", "", True, f"g{index}", "v1", "default", f"r{index}", "n") for index in range(size)
    ]


CASES: dict[str, tuple[Callable[[Pair], object], Callable[[int], Pair]]] = {
    "bounds, silent containers": (
        _judge_pod, lambda n: (_limit_range(n, "min", "max", "maxLimitRequestRatio"), _silent(n))),
    "bounds, speaking containers": (
        _judge_pod, lambda n: (_limit_range(n, "min", "max", "maxLimitRequestRatio"), _speaking(n))),
    "defaults beyond what can be noted": (
        _fill_in, lambda n: (_limit_range(8000, "default"), _silent(n))),
    "label selector, objects": (_match, lambda n: (_selector(n), _labels(n))),
    "field selector, objects": (_match, lambda n: (_field_terms(n), _fields(n))),
    "policies, bindings": (_find_policies, lambda n: (_policies(n), _bindings(n))),
    "aggregated role, roles": (_gather, lambda n: (_aggregated(n), _roles(n))),
    "rules held, rules granted": (_compare_rules, lambda n: (_rules(n, "get"), _rules(n, "get"))),
    "rules held, requests": (_ask_roles, lambda n: (_rules(n, "put"), _asked(n))),
    "quota": (_reserve, lambda n: (_quota(n), _speaking(n))),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_no_product(case: str) -> None:
    call, make = CASES[case]
    assert step_growth(call, make, SMALL) == ""
