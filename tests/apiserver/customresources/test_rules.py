"""Rules written as expressions are judged when declared and held when objects are written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import CRDS, ROOT, cron_tab, definition, version
from tests.apiserver.rig import Rig
from wherry.objects.meta import Object


def ruled(**properties: Any) -> Object:
    """A definition whose spec has rules."""
    rules = [
        {"rule": "self.low <= self.high", "message": "low must not exceed high", "fieldPath": ".low"},
        {
            "rule": "self.high < 100",
            "messageExpression": "'high is %d'.format([self.high])",
            "reason": "FieldValueForbidden",
        },
        {"rule": "!has(oldSelf.title) || has(self.title)", "message": "title stays"},
    ]
    spec = {
        "type": "object",
        "x-kubernetes-validations": rules,
        "properties": {
            "low": {"type": "integer", "default": 0},
            "high": {"type": "integer", "default": 10},
            "title": {
                "type": "string",
                "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "Value is immutable"}],
            },
            **properties,
        },
    }
    schema = {"type": "object", "properties": {"spec": spec}}
    return definition(version(schema={"openAPIV3Schema": schema}, selectableFields=[], subresources={}))


def bare(**spec: Any) -> Object:
    """A CronTab without the usual fields."""
    made = cron_tab(**spec)
    del made["spec"]["cronSpec"]
    return made


async def test_rules_hold_on_creation_and_update(rig: Rig) -> None:
    await define(rig, ruled())
    status, body, _ = await rig.http("POST", ROOT, bare(low=5, high=2))
    assert status == 422
    assert "spec.low: Invalid value: low must not exceed high" in body["message"]
    status, body, _ = await rig.http("POST", ROOT, bare(high=200))
    assert "spec: Forbidden: high is 200" in body["message"]
    status, made, _ = await rig.http("POST", ROOT, bare(title="x"))
    assert status == 201, made
    made["spec"]["title"] = "y"
    status, body, _ = await rig.http("PUT", f"{ROOT}/a", made)
    assert 'spec.title: Invalid value: "y": Value is immutable' in body["message"]
    del made["spec"]["title"]
    status, body, _ = await rig.http("PUT", f"{ROOT}/a", made)
    assert "spec: Invalid value: title stays" in body["message"]


async def test_rules_wait_for_a_valid_object(rig: Rig) -> None:
    await define(rig, ruled())
    status, body, _ = await rig.http("POST", ROOT, bare(low="x"))
    assert status == 422
    assert "some validation rules were not checked because the object was invalid" in body["message"]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"rule": "self.nope == 1"}, "compilation failed: ERROR: <input>:1:5: undefined field 'nope'"),
        ({"rule": "self.low ="}, "compilation failed: ERROR: <input>:1:10: "),
        ({"rule": ""}, "rule: Required value: rule is not specified"),
        ({"rule": "true", "reason": "Odd"}, 'reason: Unsupported value: "Odd"'),
        ({"rule": "true", "fieldPath": ".gone"}, "does not refer to a valid field"),
        ({"rule": "true", "message": "a\nb"}, "message must not contain line breaks"),
        ({"rule": "true", "optionalOldSelf": True}, "may not be set if oldSelf is not used in rule"),
    ],
)
async def test_mistakes_are_found_when_rules_are_declared(rig: Rig, rule: Object, text: str) -> None:
    crd = ruled()
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["x-kubernetes-validations"] = [rule]
    status, body, _ = await rig.http("POST", CRDS, crd)
    assert status == 422
    assert text in body["message"]
