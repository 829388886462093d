"""The algorithms of structural schemas, by tables."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.objects.structural import Node, apply_defaults, prune, value_errors
from wherry.objects.structural.bindings import escape
from wherry.objects.structural.formats import has_format
from wherry.objects.structural.rules import rule_errors
from wherry.objects.structural.wellformed import schema_errors

KEEP = "x-kubernetes-preserve-unknown-fields"


def spec_of(**properties: Any) -> Node:
    """A root schema with these fields."""
    return Node({"type": "object", "properties": properties}, is_root=True)


NOWHERE = '<nil>: Invalid value: "":'
TEXT: Any = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "obj", "left", "removed"),
    [
        ({"a": TEXT}, {"kind": "K", "a": "x", "b": 1}, {"kind": "K", "a": "x"}, ["b"]),
        ({"a": {"type": "object", KEEP: True}}, {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 1}}}, []),
        (
            {"a": {"type": "object", KEEP: True, "properties": {"b": {"type": "object"}}}},
            {"a": {"x": 1, "b": {"c": 1}}},
            {"a": {"x": 1, "b": {}}},
            ["a.b.c"],
        ),
        (
            {"a": {"type": "array", "items": {"type": "object", "properties": {"b": TEXT}}}},
            {"a": [{"b": "x"}, {"c": 1}]},
            {"a": [{"b": "x"}, {}]},
            ["a[1].c"],
        ),
        (
            {"a": {"type": "object", "additionalProperties": {"type": "object"}}},
            {"a": {"k": {"z": 1}}},
            {"a": {"k": {}}},
            ["a.k.z"],
        ),
        (
            {"a": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": TEXT}}},
            {"a": {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n"}, "x": 1}},
            {"a": {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n"}}},
            ["a.x"],
        ),
    ],
)
def test_prune(schema: Any, obj: Any, left: Any, removed: list[str]) -> None:
    assert prune(obj, spec_of(**schema)) == removed
    assert obj == left


@pytest.mark.parametrize(
    ("schema", "obj", "filled"),
    [
        ({"a": {**TEXT, "default": "x"}}, {}, {"a": "x"}),
        ({"a": {**TEXT, "default": "x"}}, {"a": None}, {"a": "x"}),
        ({"a": {**TEXT, "default": "x", "nullable": True}}, {"a": None}, {"a": None}),
        ({"a": TEXT}, {"a": None}, {}),
        ({"a": {"type": "object", "properties": {"b": {**TEXT, "default": "x"}}}}, {}, {}),
        (
            {"a": {"type": "object", "default": {}, "properties": {"b": {**TEXT, "default": "x"}}}},
            {},
            {"a": {"b": "x"}},
        ),
    ],
)
def test_defaults(schema: Any, obj: Any, filled: Any) -> None:
    before = copy.deepcopy(obj)
    assert apply_defaults(obj, spec_of(**schema)) == (filled != before)
    assert obj == filled


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        (TEXT, "x", []),
        (TEXT, 1, ['a: Invalid value: "integer": a in body must be of type string: "integer"']),
        ({"type": "integer"}, 1.0, []),
        (
            {"type": "integer"},
            True,
            ['a: Invalid value: "boolean": a in body must be of type integer: "boolean"'],
        ),
        ({"x-kubernetes-int-or-string": True}, "50%", []),
        (
            {"type": "integer", "minimum": 1},
            0,
            ["a: Invalid value: 0: a in body should be greater than or equal to 1"],
        ),
        (
            {"type": "integer", "maximum": 5, "exclusiveMaximum": True},
            5,
            ["a: Invalid value: 5: a in body should be less than 5"],
        ),
        ({"type": "number", "multipleOf": 0.1}, 0.3, []),
        ({**TEXT, "pattern": "^b+$"}, "bb\n", ["a: Invalid value: \"bb\\n\": a in body should match '^b+$'"]),
        ({**TEXT, "minLength": 2}, "x", ['a: Invalid value: "x": a in body should be at least 2 chars long']),
        ({**TEXT, "maxLength": 2}, "xyz", ["a: Too long: may not be more than 2 bytes"]),
        ({**TEXT, "enum": ["p", "q"]}, "r", ['a: Unsupported value: "r": supported values: "p", "q"']),
        ({**TEXT, "format": "ipv4"}, "x", ['a: Invalid value: "x": a in body must be of type ipv4: "x"']),
        (
            {"type": "array", "items": TEXT, "maxItems": 1},
            ["x", "y"],
            ["a: Too many: 2: must have at most 1 items"],
        ),
        (
            {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
            ["x", "y", "x"],
            ['a[2]: Duplicate value: "x"'],
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {"k": TEXT, "v": TEXT}},
            },
            [{"k": "1", "v": "a"}, {"k": "1", "v": "b"}],
            ['a[1]: Duplicate value: {"k":"1"}'],
        ),
        ({"type": "object", "required": ["b"]}, {}, ["a.b: Required value"]),
        (
            {"type": "object", "oneOf": [{"required": ["b"]}, {"required": ["c"]}]},
            {"b": 1, "c": 1},
            [f'{NOWHERE} "a" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
        ),
        (
            {"type": "object", "not": {"required": ["b"]}},
            {"b": 1},
            ['<nil>: Invalid value: "": "a" must not validate the schema (not)'],
        ),
        ({"type": "object", "anyOf": [{"required": ["b"]}, {"required": ["c"]}]}, {"c": 1}, []),
        ({**TEXT, "nullable": True}, None, []),
        (TEXT, None, ['a: Invalid value: "null": a in body must be of type string: "null"']),
    ],
)
def test_values(schema: Any, value: Any, told: list[str]) -> None:
    assert [str(error) for error in value_errors({"a": value}, spec_of(a=schema))] == told


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({}, "x.type: Required value: must not be empty at the root"),
        ({"type": "string"}, 'x.type: Invalid value: "string": must be object at the root'),
        (
            {"type": "object", "properties": {"a": {}}},
            "x.properties[a].type: Required value: must not be empty for specified object fields",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "array"}}},
            "x.properties[a].items: Required value: must be specified",
        ),
        (
            {"type": "object", "properties": {"a": TEXT}, "additionalProperties": TEXT},
            "x.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        (
            {"type": "object", "properties": {"a": {**TEXT, "default": 5}}},
            (
                'x.properties[a].default: Invalid value: "integer": '
                'x.properties[a].default in body must be of type string: "integer"'
            ),
        ),
        (
            {
                "type": "object",
                "properties": {"a": TEXT},
                "anyOf": [{"properties": {"a": {"type": "string"}}}],
            },
            "x.anyOf[0].properties[a].type: Forbidden: must be empty to be structural",
        ),
        (
            {"type": "object", "anyOf": [{"properties": {"b": {"minLength": 1}}}]},
            "x.properties[b]: Required value: because it is defined in x.anyOf[0].properties[b]",
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "map"}},
            },
            (
                "x.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if "
                "x-kubernetes-list-type is map"
            ),
        ),
    ],
)
def test_schemas_are_judged(schema: Any, told: str) -> None:
    assert told in [str(error) for error in schema_errors(schema, "x")]


def test_a_good_schema_passes() -> None:
    assert schema_errors({"type": "object", "properties": {"a": {**TEXT, "default": "x"}}}, "x") == []


def test_transition_rules_follow_items_by_key() -> None:
    item = {
        "type": "object",
        "properties": {"k": TEXT, "v": {**TEXT, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}},
    }
    keyed = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        "items": item,
    }
    root = spec_of(a=keyed)
    old = {"a": [{"k": "1", "v": "x"}, {"k": "2", "v": "y"}]}
    assert rule_errors({"a": [{"k": "2", "v": "y"}, {"k": "3", "v": "z"}]}, old, root) == []
    told = [str(error) for error in rule_errors({"a": [{"k": "2", "v": "changed"}]}, old, root)]
    assert told == ['a[0].v: Invalid value: "changed": failed rule: self == oldSelf']


def test_rules_stop_when_the_budget_is_spent() -> None:
    rule = {"rule": "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))"}
    root = spec_of(a={"type": "array", "items": {"type": "integer"}, "x-kubernetes-validations": [rule]})
    told = rule_errors({"a": list(range(200))}, None, root)
    assert len(told) == 1
    assert "no further validation rules will be run due to call cost exceeds limit" in told[0].message


@pytest.mark.slow
def test_many_cheap_rules_spend_the_budget_of_the_object() -> None:
    rules = [{"rule": "self.all(a, self.all(b, a + b >= 0))", "message": str(n)} for n in range(30)]
    root = spec_of(a={"type": "array", "items": {"type": "integer"}, "x-kubernetes-validations": rules})
    told = rule_errors({"a": list(range(300))}, None, root)
    text = "validation failed due to running out of cost budget, no further validation rules will be run"
    assert [error.message for error in told] == [f'Invalid value: "array": {text}']


def test_patterns_run_in_linear_time() -> None:
    root = spec_of(a={"type": "string", "pattern": "^(a+)+$"})
    assert value_errors({"a": "a" * 50_000}, root) == []
    assert len(value_errors({"a": "a" * 50_000 + "!"}, root)) == 1


def test_patterns_are_gos() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "+"}}}
    told = "must be a valid regular expression, but isn't: error parsing regexp: "
    assert [str(error) for error in schema_errors(schema, "x")] == [
        f'x.properties[a].pattern: Invalid value: "+": {told}missing argument to repetition operator: `+`'
    ]


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("a-b", "a__dash__b"),
        ("a.b", "a__dot__b"),
        ("x__y", "x__underscores__y"),
        ("in", "__in__"),
        ("1a", ""),
    ],
)
def test_names_are_escaped_for_expressions(name: str, escaped: str) -> None:
    assert escape(name) == escaped


@pytest.mark.parametrize(
    ("text", "form", "holds"),
    [
        ("1h30m", "duration", True),
        ("soon", "duration", False),
        ("2026-01-02T03:04:05Z", "date-time", True),
        ("2026-01-32", "date", False),
        ("10.0.0.0/8", "cidr", True),
        ("a@b.c", "email", True),
        ("978-3-16-148410-0", "isbn13", True),
        ("anything", "unheard-of", True),
        ("aGk=", "byte", True),
        ("12", "uuid", False),
    ],
)
def test_formats(text: str, form: str, holds: bool) -> None:
    assert has_format(text, form) is holds


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"rule": "self.size() > 9"}, 'a: Invalid value: "xy": failed rule: self.size() > 9'),
        ({"rule": "self.size() > 9", "message": "too short"}, 'a: Invalid value: "xy": too short'),
        (
            {"rule": "self.size() > 9", "messageExpression": "'only %d'.format([self.size()])"},
            'a: Invalid value: "xy": only 2',
        ),
        (
            {"rule": "self.size() > 9", "messageExpression": "self + self", "reason": "FieldValueForbidden"},
            "a: Forbidden: xyxy",
        ),
        ({"rule": "false", "reason": "FieldValueDuplicate"}, 'a: Duplicate value: "xy"'),
        ({"rule": "1 / 0 == 1"}, 'a: Invalid value: "string": division by zero evaluating rule: 1 / 0 == 1'),
        (
            {"rule": "self > 1", "message": "must grow"},
            (
                "a: Invalid value: \"string\": 'no such overload': call arguments did not match a supported "
                "operator, function or macro signature for rule: must grow"
            ),
        ),
    ],
)
def test_what_is_said_of_broken_rules(rule: Any, text: str) -> None:
    root = spec_of(a={"type": "string", "x-kubernetes-validations": [rule]})
    assert [str(error) for error in rule_errors({"a": "xy"}, None, root)] == [text]


def test_values_of_objects_are_not_shown() -> None:
    rule = {"rule": "self.x > 1", "message": "more"}
    part = {"type": "object", "properties": {"x": {"type": "integer"}}, "x-kubernetes-validations": [rule]}
    told = [str(error) for error in rule_errors({"a": {"x": 1}}, None, spec_of(a=part))]
    assert told == ["a: Invalid value: more"]


@pytest.mark.parametrize("kind", ["object", "array", "string", "boolean"])
def test_unknown_fields_may_be_kept_beside_any_type(kind: str) -> None:
    field: Any = {"type": kind, KEEP: True}
    if kind == "array":
        field["items"] = {"type": "object", KEEP: True}
    schema = {"type": "object", "properties": {"a": field}}
    assert list(schema_errors(schema, "schema")) == []


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        (2**63 - 1, True),
        (-(2**63), True),
        (2**63, False),
        (3.0, True),
        (2.0**53, False),
        (1e20, False),
        (1.5, False),
        (True, False),
    ],
)
def test_integers_have_64_bits(value: Any, is_one: bool) -> None:
    errors = list(value_errors({"a": value}, spec_of(a={"type": "integer"})))
    assert (errors == []) is is_one


EXTREMES = (
    0, 1, -1, 2**53, 2**63 - 1, -(2**63), 0.0, -0.0, 0.01, 1e-300, 5e-324, -5e-324, 1e308, -1e308, 10**9,
)  # fmt: skip


@pytest.mark.parametrize("kind", ["number", "integer"])
def test_any_number_is_judged_against_any_number(kind: str) -> None:
    for bound in EXTREMES:
        for constraint in ("minimum", "maximum", "multipleOf"):
            node = spec_of(a={"type": kind, "format": "int32", constraint: bound, "exclusiveMinimum": True})
            for value in EXTREMES:
                for error in value_errors({"a": value}, node):
                    assert error.message


@pytest.mark.parametrize(
    ("value", "step", "is_one"),
    [
        (0.3, 0.1, True),
        (5, 2.5, True),
        (-3, 1.5, True),
        (7, 2, False),
        (2**63 - 1, 1, True),
        (2**53 + 1, 2, False),
        (0.0, 0.01, True),
        (-0.0, 3, True),
        (1e308, 0.01, False),
        (10**9, 1e-300, False),
        (1, 5e-324, False),
        (1, 1e308, False),
        (1e308, 1e308, True),
        (0, 0, False),
        (1.5, 0, False),
    ],
)
def test_multiples_are_those_of_kube_openapi(value: float, step: float, is_one: bool) -> None:
    errors = value_errors({"a": value}, spec_of(a={"type": "number", "multipleOf": step}))
    assert [str(error) for error in errors if "should be a multiple of" in error.message] == [
        str(error) for error in errors
    ]
    assert (errors == []) is is_one


def test_no_number_is_a_multiple_of_a_negative_one() -> None:
    (error,) = value_errors({"a": 4}, spec_of(a={"type": "number", "multipleOf": -2}))
    assert "factor MultipleOf declared for a must be positive: -2" in error.message
