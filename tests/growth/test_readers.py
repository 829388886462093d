"""What reads a text on its own: quantities, selectors, paths, formats, expressions, documents."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

import orjson
import pytest

from tests.growth.meter import time_growth
from tests.growth.texts import SHAPES, long_text
from wherry.api.schema.check import check
from wherry.api.schema.definitions import definition
from wherry.apiserver import strictness
from wherry.apiserver.media_types import parse_accept
from wherry.kit import integers, yaml_reader
from wherry.kubelet.expansion import expand, missing_references
from wherry.objects import cron, go_durations, intstr, jsonpath, names, quantity, regex, selectors
from wherry.objects.cel import compile_expression
from wherry.objects.cel.declarations import FUNCTIONS
from wherry.objects.cel.values import kind
from wherry.objects.meta import parse_time
from wherry.objects.structural import formats
from wherry.objects.structural.rule_checks import rule_declaration_errors

LONG = 8192
_RULE = {"rule": "self.size() > 0"}


def _rule_with(field: str, text: str) -> object:
    declared = {**_RULE, field: text}
    return rule_declaration_errors({"type": "object", "x-kubernetes-validations": [declared]}, "schema")


def _time(text: str) -> object:
    return check({"time": text}, definition("io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry"))


def _takes_text(check: Callable[[str], object]) -> bool:
    return str(signature(check).parameters.get("value")) == "value: 'str'"


READERS: dict[str, Callable[[str], object]] = {
    **{name: check for name, check in vars(names).items() if name.endswith("_errors") and _takes_text(check)},
    "quantity": quantity.canonical_quantity,
    "milli": quantity.milli,
    "percent": lambda text: intstr.resolve(text, 10, True),
    "integer": integers.parse_integer,
    "duration": go_durations.parse_go_duration,
    "schedule": cron.schedule_error,
    "time": parse_time,
    "decoded time": _time,
    "JSONPath": jsonpath.parse_json_path,
    "JSONPath of a filter": lambda text: jsonpath.parse_json_path(f"[?(@{text})]"),
    "simple path": jsonpath.simple_fields,
    "label selector": selectors.parse_label_selector,
    "field selector": selectors.parse_field_selector,
    "pattern": regex.compile_pattern,
    "text of a pattern": lambda text: regex.compile_pattern("(a+)+$").is_in(text),
    "expression": compile_expression,
    "expression on a text": lambda text: compile_expression(orjson.dumps(text).decode() + " == 'a'"),
    "field path": partial(_rule_with, "fieldPath"),
    "message": partial(_rule_with, "message"),
    "Accept": parse_accept,
    "YAML": lambda text: yaml_reader.read(text.encode()),
    "YAML text": lambda text: yaml_reader.read(b"a: " + orjson.dumps(text)),
    "repeated fields": lambda text: strictness.json_repeats(orjson.dumps({text: {text: 1}, "a": text})),
    "expansion": lambda text: expand(text, {"a": "b"}),
    "references": lambda text: missing_references(text, {"a": "b"}),
    **{
        f"format {name}": partial(lambda name, text: formats.has_format(text, name), name)
        for name in formats.NAMES
    },
}
_WITH_TEXTS: dict[str, Callable[[str], tuple[Any, ...]]] = {
    **{
        name: lambda text: (text,)
        for name in ("url", "ip", "cidr", "quantity", "semver", "duration", "timestamp", "size")
    },
    "isSemver": lambda text: (text, True),
    "format": lambda text: (text, [text]),
    "replace": lambda text: (text, "a", "b"),
    "split": lambda text: (text, text[:1]),
    "matches": lambda text: (text, "(a+)+$"),
    "findAll": lambda text: (text, ".+a"),
    "indexOf": lambda text: (text, "zz"),
    "lastIndexOf": lambda text: (text, "zz"),
}


def _faults(read: Callable[[str], object]) -> list[str]:
    def judge(text: str) -> None:
        try:
            read(text)
        except ValueError:
            return  # that it is none, in words

    return [
        f"{shape}: {wrong}"
        for shape in SHAPES
        if (wrong := time_growth(judge, lambda size, shape=shape: long_text(shape, size), LONG))  # type: ignore[misc]
    ]


@pytest.mark.parametrize("name", READERS)
def test_readers_cost_what_the_text_weighs(name: str) -> None:
    assert not _faults(READERS[name])


@pytest.mark.parametrize("name", _WITH_TEXTS)
def test_functions_of_expressions_cost_what_the_text_weighs(name: str) -> None:
    assert not _faults(lambda text: _call(name, _WITH_TEXTS[name](text)))


def _call(name: str, arguments: tuple[Any, ...]) -> Any:
    kinds = [kind(argument) for argument in arguments]
    overload = next(found for found in FUNCTIONS[name] if found.takes(kinds))
    assert overload.call is not None
    return overload.call(*arguments)
