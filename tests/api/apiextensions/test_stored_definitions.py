"""Definitions between v1 and the v1beta1 they are stored in."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.apiextensions.stored_definitions import from_v1beta1, to_v1beta1

SMALL = {"openAPIV3Schema": {"type": "object"}}
LARGE = {"openAPIV3Schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
SIZE = {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}


def version(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "served": True, "storage": name == "v1", "schema": SMALL, **more}


def crd(*versions: dict[str, Any], **spec: Any) -> dict[str, Any]:
    names = {"plural": "boats", "kind": "Boat"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boats.sea.example.com"},
        "spec": {"group": "sea.example.com", "names": names, "versions": list(versions), **spec},
    }


@pytest.mark.parametrize(
    ("obj", "common", "apart"),
    [
        (crd(version("v1")), {"validation": SMALL}, [{}]),
        (crd(version("v1"), version("v2")), {"validation": SMALL}, [{}, {}]),
        (crd(version("v1"), version("v2", schema=LARGE)), {}, [{"schema": SMALL}, {"schema": LARGE}]),
        (
            crd(version("v1", subresources={"status": {}}), version("v2")),
            {"validation": SMALL},
            [{"subresources": {"status": {}}}, {}],
        ),
        (
            crd(version("v1", additionalPrinterColumns=[SIZE], selectableFields=[{"jsonPath": ".a"}])),
            {
                "validation": SMALL,
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "JSONPath": ".spec.size"}],
                "selectableFields": [{"jsonPath": ".a"}],
            },
            [{}],
        ),
        (
            crd(version("v1", additionalPrinterColumns=[SIZE]), version("v2")),
            {"validation": SMALL},
            [
                {"additionalPrinterColumns": [{"name": "Size", "type": "integer", "JSONPath": ".spec.size"}]},
                {},
            ],
        ),
    ],
)
def test_what_is_common_stands_once(obj: Any, common: Any, apart: Any) -> None:
    before = copy.deepcopy(obj)
    stored = to_v1beta1(obj)
    spec = stored["spec"]
    fields = ("validation", "subresources", "additionalPrinterColumns", "selectableFields")
    assert {field: spec[field] for field in fields if field in spec} == common
    bare = [
        {name: value for name, value in item.items() if name not in ("name", "served", "storage")}
        for item in spec["versions"]
    ]
    assert bare == apart
    assert (stored["apiVersion"], spec["version"]) == ("apiextensions.k8s.io/v1beta1", "v1")
    assert spec["preserveUnknownFields"] is False
    assert from_v1beta1(stored) == before
    assert obj == before, "a conversion changed its argument"


def test_conversion_by_webhook() -> None:
    client = {"url": "https://a.example.com"}
    webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
    obj = crd(version("v1"), conversion={"strategy": "Webhook", "webhook": webhook})
    stored = to_v1beta1(obj)
    assert stored["spec"]["conversion"] == {
        "strategy": "Webhook",
        "webhookClientConfig": client,
        "conversionReviewVersions": ["v1"],
    }
    assert from_v1beta1(stored) == obj
    plain = crd(version("v1"), conversion={"strategy": "None"})
    assert from_v1beta1(to_v1beta1(plain)) == plain


def test_one_version_and_nothing_else() -> None:
    stored = crd()
    stored["spec"] |= {"version": "v1", "validation": SMALL}
    del stored["spec"]["versions"]
    spec = from_v1beta1({**stored, "apiVersion": "apiextensions.k8s.io/v1beta1"})["spec"]
    assert spec["versions"] == [{"name": "v1", "served": True, "storage": True, "schema": SMALL}]
    assert spec["preserveUnknownFields"] is True, "that was the default then"
