"""What a schema says of types is what its rules are checked by, before there is any object."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.objects.structural.node import Node
from wherry.objects.structural.rule_checks import rule_declaration_errors
from wherry.objects.structural.rules import rule_errors

FIELDS: dict[str, Any] = {
    "count": {"type": "integer"},
    "share": {"type": "number"},
    "when": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
    "every": {"type": "string", "format": "duration"},
    "raw": {"type": "string", "format": "byte"},
    "port": {"x-kubernetes-int-or-string": True},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "tags": {"type": "array", "items": {"type": "string"}},
    "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "in": {"type": "boolean"},
}


def schema(rule: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": FIELDS, "x-kubernetes-validations": [{"rule": rule, **more}]}


def told(rule: str, **more: Any) -> str:
    return "\n".join(str(error) for error in rule_declaration_errors(schema(rule, **more), "root"))


@pytest.mark.parametrize(
    "rule",
    [
        "self.count + 1 > 2 && self.share > 0.5 && self.share > 1",
        "self.when > timestamp('2024-01-01T00:00:00Z') && self.day.getFullYear() > 2000",
        "self.every < duration('1h') && self.raw == b'a'",
        "self.port == 'http' || self.port == 80",
        "self.labels.all(k, self.labels[k].size() < 5) && 'a' in self.labels",
        "self.tags.exists(t, t.startsWith('a')) || self.tags[0] == 'a'",
        "self.open.anything.below == 1",
        "self.__in__",
        "self.metadata.name != '' && self.kind == 'A'",
        "self.count == oldSelf.count",
    ],
)
def test_what_the_types_allow(rule: str) -> None:
    assert told(rule) == ""


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("self.count + 'a' == 'b'", "found no matching overload for '_+_' applied to '(int, string)'"),
        ("self.when.size() > 1", "found no matching overload for 'size' applied to 'timestamp.()'"),
        ("self.every == 'a'", "found no matching overload for '_==_' applied to '(duration, string)'"),
        ("self.tags.all(t, t > 1)", "found no matching overload for '_>_' applied to '(string, int)'"),
        ("self.labels == ['a']", "applied to '(map(string, string), list(string))'"),
        ("self.nope == 1", "undefined field 'nope'"),
        ("self.metadata.labels.size() > 0", "undefined field 'labels'"),
        ("self.count", "cel expression must evaluate to a bool"),
        ("that.count > 1", "undeclared reference to 'that'"),
        ("cel.bind(x, self.count, x > 1)", "undeclared reference to 'cel'"),
    ],
)
def test_what_they_rule_out(rule: str, text: str) -> None:
    assert text in told(rule)


def test_the_old_value_is_optional_where_it_may_be_absent() -> None:
    assert told("oldSelf.?count.orValue(0) <= self.count", optionalOldSelf=True) == ""
    assert "found no matching overload for '_==_'" in told("oldSelf == self", optionalOldSelf=True)


def test_values_have_the_types_that_were_checked() -> None:
    rule = (
        "self.when - timestamp('2024-01-01T00:00:00Z') == duration('1ns') && self.day.getMonth() == 1 && "
        "self.every == duration('36h') && self.raw == b'a' && self.share == 2.0"
    )
    value = {
        "when": "2024-01-01T01:00:00.000000001+01:00",
        "day": "2024-02-01",
        "every": "1 day 12 hours",
        "raw": "YQ==",
        "share": 2,
    }
    assert rule_errors(value, None, Node(schema(rule), is_root=True)) == []
