"""Custom resource definitions."""

from typing import Any

import pytest

from tests.api.objects import create, make, update
from wherry.api.apiextensions.custom_resource_definitions import CUSTOM_RESOURCE_DEFINITIONS as CRDS
from wherry.objects.meta import Object

V1 = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}


def crd(**spec: Any) -> Object:
    names = {"plural": "boats", "kind": "Boat"}
    body = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [V1], **spec}
    return make(CRDS, name="boats.example.com", spec=body)


def test_defaults() -> None:
    obj, errors = create(CRDS, crd())
    assert errors == []
    assert obj["spec"]["names"] == {
        "plural": "boats",
        "kind": "Boat",
        "singular": "boat",
        "listKind": "BoatList",
    }
    assert obj["spec"]["conversion"] == {"strategy": "None"}
    assert obj["status"]["storedVersions"] == ["v1"]


def test_every_stored_version_is_remembered() -> None:
    old, _ = create(CRDS, crd())
    new = crd(versions=[{**V1, "storage": False}, {**V1, "name": "v2"}])
    changed, errors = update(CRDS, old, new)
    assert errors == []
    assert changed["status"]["storedVersions"] == ["v1", "v2"]
    assert changed["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"scope": "World"},
            'spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"',
        ),
        (
            {"versions": []},
            "spec.versions: Invalid value: []: must have exactly one version marked as storage version",
        ),
        (
            {"versions": [{"name": "v1", "served": True, "storage": True}]},
            "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
        ),
        (
            {"conversion": {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"]}}},
            "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        ),
    ],
)
def test_refused(spec: dict[str, Any], text: str) -> None:
    assert create(CRDS, crd(**spec))[1] == [text]


def test_the_name_says_it_all() -> None:
    obj = crd()
    obj["metadata"]["name"] = "boats.example.org"
    assert create(CRDS, obj)[1] == [
        'metadata.name: Invalid value: "boats.example.org": must be spec.names.plural+"."+spec.group'
    ]
    two = crd(versions=[V1, {**V1, "name": "v2"}])
    assert "exactly one version marked as storage version" in create(CRDS, two)[1][0]
