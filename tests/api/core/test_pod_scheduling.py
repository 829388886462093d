from __future__ import annotations

from typing import Any

import pytest

from tests.api.core.examples import create, pod
from wherry.api.core.pods import PODS

T = "spec.tolerations[0]"
S = "spec.topologySpreadConstraints"
NODE = "spec.affinity.nodeAffinity"
POD = "spec.affinity.podAntiAffinity"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
TERM = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}

CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "tolerating all keys by value": (
        {"spec.tolerations": [{"operator": "Equal", "value": "x"}]},
        [
            (
                f'{T}.operator: Invalid value: "Equal": operator must be Exists when `key` is empty, '
                'which means "match all values and all keys"'
            )
        ],
    ),
    "seconds without NoExecute": (
        {"spec.tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}]},
        [
            (
                f'{T}.effect: Invalid value: "NoSchedule": '
                "effect must be 'NoExecute' when `tolerationSeconds` is set"
            )
        ],
    ),
    "existing with value": (
        {"spec.tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
        [f"{T}.operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'"],
    ),
    "operator": (
        {"spec.tolerations": [{"key": "a", "operator": "Like"}]},
        [f'{T}.operator: Unsupported value: "Like": supported values: "Equal", "Exists"'],
    ),
    "effect": (
        {"spec.tolerations": [{"key": "a", "effect": "NoLunch"}]},
        [
            (
                f'{T}.effect: Unsupported value: "NoLunch": '
                'supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"'
            )
        ],
    ),
    "skew": (
        {S: [{**SPREAD, "maxSkew": 0}]},
        [f"{S}[0].maxSkew: Invalid value: 0: must be greater than zero"],
    ),
    "spread over nothing": (
        {S: [{**SPREAD, "topologyKey": ""}]},
        [f"{S}[0].topologyKey: Required value: can not be empty"],
    ),
    "when unsatisfiable": (
        {S: [{**SPREAD, "whenUnsatisfiable": "Cry"}]},
        [
            (
                f'{S}[0].whenUnsatisfiable: Unsupported value: "Cry": '
                'supported values: "DoNotSchedule", "ScheduleAnyway"'
            )
        ],
    ),
    "spread twice": (
        {S: [SPREAD, SPREAD]},
        [f'{S}[0].{{topologyKey, whenUnsatisfiable}}: Duplicate value: "{{zone, DoNotSchedule}}"'],
    ),
    "domains": (
        {S: [{**SPREAD, "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}]},
        [
            (
                f"{S}[0].minDomains: Invalid value: 2: "
                "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"
            )
        ],
    ),
    "own label keys without selector": (
        {S: [{**SPREAD, "matchLabelKeys": ["app"]}]},
        [f"{S}[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"],
    ),
    "no node terms": (
        {f"{NODE}.{REQUIRED}": {"nodeSelectorTerms": []}},
        [f"{NODE}.{REQUIRED}.nodeSelectorTerms: Required value: must have at least one node selector term"],
    ),
    "node operator without values": (
        {f"{NODE}.{REQUIRED}.nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In"}]}]},
        [
            (
                f"{NODE}.{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].values: Required value: "
                "must be specified when `operator` is 'In' or 'NotIn'"
            )
        ],
    ),
    "node operator": (
        {f"{NODE}.{REQUIRED}.nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Is"}]}]},
        [
            (
                f'{NODE}.{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].operator: Invalid value: "Is": '
                "not a valid selector operator"
            )
        ],
    ),
    "node field": (
        {
            f"{NODE}.{REQUIRED}.nodeSelectorTerms": [
                {"matchFields": [{"key": "metadata.uid", "operator": "In", "values": ["x"]}]}
            ]
        },
        [
            (
                f'{NODE}.{REQUIRED}.nodeSelectorTerms[0].matchFields[0].key: Invalid value: "metadata.uid": '
                "not a valid field selector key"
            )
        ],
    ),
    "weight": (
        {f"{NODE}.{PREFERRED}": [{"weight": 0, "preference": {}}]},
        [f"{NODE}.{PREFERRED}[0].weight: Invalid value: 0: must be in the range 1-100"],
    ),
    "pod term without topology": (
        {f"{POD}.{REQUIRED}": [{**TERM, "topologyKey": ""}]},
        [
            f"{POD}.{REQUIRED}[0].topologyKey: Required value: can not be empty",
            f'{POD}.{REQUIRED}[0].topologyKey: Invalid value: "": name part must be non-empty',
            (
                f'{POD}.{REQUIRED}[0].topologyKey: Invalid value: "": name part must consist of alphanumeric '
                "characters, '-', '_' or '.', and must start and end with an alphanumeric character "
                "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ),
        ],
    ),
    "pod weight": (
        {f"{POD}.{PREFERRED}": [{"weight": 101, "podAffinityTerm": TERM}]},
        [f"{POD}.{PREFERRED}[0].weight: Invalid value: 101: must be in the range 1-100"],
    ),
}


@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES.keys())
def test_what_is_wrong(changes: dict[str, Any], expected: list[str]) -> None:
    assert create(PODS, pod(**changes)) == expected


def test_a_key_given_by_hand_and_by_name() -> None:
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "x"}}, "matchLabelKeys": ["app"]}
    obj = pod(**{"metadata.labels": {"app": "web"}, f"{POD}.{REQUIRED}": [term]})
    assert create(PODS, obj) == [
        f'{POD}.{REQUIRED}[0][0]: Invalid value: "app": exists in both matchLabelKeys and labelSelector'
    ]
