from __future__ import annotations

from typing import Any

import pytest

from tests.objects.shapes import DEPLOYMENT
from wherry.objects.managed_fields.walk import added_fields, compare, fields_of, ownable

CONTAINER = {
    "name": "c",
    "image": "i",
    "command": ["a"],
    "ports": [{"containerPort": 80}],
    "resources": {"limits": {"cpu": "1"}},
}
OBJ: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "uid": "u", "labels": {"a": "1"}, "finalizers": ["x/y"]},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"a": "1"}},
        "template": {"spec": {"containers": [CONTAINER], "nodeSelector": {"z": "1"}}},
        "blob": {"k": [1], "m": {}},
        "paused": None,
    },
}
NOBODYS: frozenset[str] = frozenset()
PORT = 'k:{"containerPort":80,"protocol":"TCP"}'


def test_an_applied_configuration_claims_leaves_keys_and_items() -> None:
    assert fields_of(ownable(OBJ, NOBODYS), DEPLOYMENT) == {
        "f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {'v:"x/y"': {}}},
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"c"}': {
                            ".": {},
                            "f:name": {},
                            "f:image": {},
                            "f:command": {},
                            "f:ports": {PORT: {".": {}, "f:containerPort": {}}},
                            "f:resources": {"f:limits": {"f:cpu": {}}},
                        }
                    },
                    "f:nodeSelector": {},
                }
            },
            "f:blob": {"f:k": {}, "f:m": {}},
        },
    }


def test_a_new_object_brings_its_containers_with_it() -> None:
    fields = added_fields(ownable(OBJ, NOBODYS), DEPLOYMENT)
    assert fields["f:metadata"] == {
        "f:labels": {".": {}, "f:a": {}},
        "f:finalizers": {".": {}, 'v:"x/y"': {}},
    }
    assert "." not in fields["f:spec"]
    container = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"c"}']
    assert container["f:resources"] == {".": {}, "f:limits": {".": {}, "f:cpu": {}}}
    assert container["f:ports"] == {".": {}, PORT: {".": {}, "f:containerPort": {}}}


def test_without_a_shape_maps_are_granular_and_lists_atomic() -> None:
    assert fields_of({"spec": {"a": {"b": [1]}, "c": 1}}, None) == {
        "f:spec": {".": {}, "f:a": {".": {}, "f:b": {}}, "f:c": {}}
    }


@pytest.mark.parametrize(
    ("old", "new", "touched", "removed"),
    [
        ({}, {}, {}, {}),
        ({"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, {"f:spec": {"f:replicas": {}}}, {}),
        ({"spec": {"replicas": 1}}, {"spec": {}}, {}, {"f:spec": {"f:replicas": {}}}),
        ({"spec": {"replicas": 1}}, {"spec": {"replicas": None}}, {}, {"f:spec": {"f:replicas": {}}}),
        (
            {"spec": {"selector": {"a": 1}}},
            {"spec": {"selector": {"a": 2}}},
            {"f:spec": {"f:selector": {}}},
            {},
        ),
        (
            {"metadata": {"labels": {"a": "1", "b": "1"}}},
            {"metadata": {"labels": {"a": "2", "c": "1"}}},
            {"f:metadata": {"f:labels": {"f:a": {}, "f:c": {}}}},
            {"f:metadata": {"f:labels": {"f:b": {}}}},
        ),
        (
            {"metadata": {"labels": {"a": "1"}}},
            {"metadata": {}},
            {},
            {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}},
        ),
        (
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"finalizers": ["b", "c"]}},
            {"f:metadata": {"f:finalizers": {'v:"c"': {}}}},
            {"f:metadata": {"f:finalizers": {'v:"a"': {}}}},
        ),
        ({"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"finalizers": ["b", "a"]}}, {}, {}),
        (
            {"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "x"}]}}}},
            {"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "y"}, {"name": "b"}]}}}},
            {
                "f:spec": {
                    "f:template": {
                        "f:spec": {
                            "f:containers": {
                                'k:{"name":"a"}': {"f:image": {}},
                                'k:{"name":"b"}': {".": {}, "f:name": {}},
                            }
                        }
                    }
                }
            },
            {},
        ),
        ({}, {"spec": {"replicas": 1}}, {"f:spec": {"f:replicas": {}}}, {}),
    ],
)
def test_differences(
    old: dict[str, Any], new: dict[str, Any], touched: dict[str, Any], removed: dict[str, Any]
) -> None:
    change = compare(old, new, DEPLOYMENT)
    assert change.touched == touched
    assert change.removed == removed
