from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wherry.kit.yaml_reader import YamlError, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("a", "a"),
        ("[yes, No, on, y, N, true]", [True, False, True, True, False, True]),
        ("['yes', \"no\"]", ["yes", "no"]),
        ("[1, -1, +1, 0x1f, 0b11, 010, 0o10, 1_000]", [1, -1, 1, 31, 3, 8, 8, 1000]),
        ("[1.5, .5, 1., 1e3, -1.5E-2, 1e21]", [1.5, 0.5, 1, 1000, -0.015, 1e21]),
        ("[1:30, 2020-01-01, 2020-01-01T00:00:00Z]", ["1:30", "2020-01-01", "2020-01-01T00:00:00Z"]),
        ("[08, 1.2.3, -, +, ., 0x, '1']", [8, "1.2.3", "-", "+", ".", "0x", "1"]),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 18446744073709551616.0),
        ("{1: a, true: b, 1.5: c}", {"1": "a", "true": "b", "1.5": "c"}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
        (
            "p: &p {b: 1}\nq: &q {b: 2, c: 2}\nd: {c: 3, <<: [*p, *q]}",
            {"p": {"b": 1}, "q": {"b": 2, "c": 2}, "d": {"b": 1, "c": 3}},
        ),
        ("!!str 1", "1"),
        ("!!float 1", 1),
        ("!!binary aGk=", "hi"),
        ("!unknown a", "a"),
        ("!!set {a, b}", {"a": None, "b": None}),
        ("|\n a\n b\n", "a\nb\n"),
    ],
)
def test_values(text: str, value: Any) -> None:
    read_value = read(text).value
    assert read_value == value
    assert repr(read_value) == repr(value) or isinstance(value, dict), "true is not 1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "line 2: did not find expected node content"),
        ("a: 1\n---\nb: 1", "line 2: expected a single document"),
        ("x: 1\na: *b", "line 2: unknown anchor 'b' referenced"),
        ("a: &a [*a]", "anchor 'a' value contains itself"),
        ("? [a]\n: b", "unsupported map key of type list"),
        ("~: b", "unsupported map key of type null"),
        ("<<: 1", "map merge requires map or sequence of maps"),
        ("[.inf]", "json: unsupported value: .inf"),
        ("!!int x", "cannot decode !!str `x` as a !!int"),
        ("!!bool 1", "cannot decode !!str `1` as a !!bool"),
        ("!!binary ü", "cannot decode"),
        ("[" * 201 + "]" * 201, "exceeded max depth of 200"),
        ("a: &a [" + "x, " * 1000 + "]\nb: [" + "*a, " * 5000 + "]", "document contains excessive aliasing"),
        (b"\xff", "invalid leading UTF-8 octet"),
    ],
)
def test_what_is_refused(text: str | bytes, said: str) -> None:
    with pytest.raises(YamlError) as refused:
        read(text)
    assert said in str(refused.value)


def test_repeated_keys_are_told_and_the_last_counts() -> None:
    document = read("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")
    assert document.value == {"a": 3, "b": {"c": 2}}
    assert document.repeated == ['line 4: key "c" already set in map', 'line 5: key "a" already set in map']
    assert read("a: &x {b: 1}\nc: {<<: *x, b: 2}").repeated == [], "what is merged in may be written over"


def test_deep_documents_do_not_touch_the_stack() -> None:
    value = read("[" * 1000 + "]" * 1000, max_depth=1000).value
    depth = 0
    while value:
        value, depth = value[0], depth + 1
    assert depth == 999


@pytest.mark.parametrize("depth", [1001, 5000, 100_000])
def test_what_the_parser_itself_finds_too_deep_is_told_in_our_words(depth: int) -> None:
    with pytest.raises(YamlError, match=r"^exceeded max depth of 10$"):
        read("[" * depth + "]" * depth, max_depth=10)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (yaml.YAMLError("some words"), "not a YAML document"),
        (yaml.MarkedYAMLError(problem="words of a newer library"), "not a YAML document"),
        (yaml.MarkedYAMLError(problem="did not find expected key"), "did not find expected key"),
        (yaml.MarkedYAMLError(problem="exceeded maximum nesting depth"), "exceeded max depth of 200"),
    ],
)
def test_the_library_is_never_quoted_unknown(
    error: yaml.YAMLError, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(yaml, "parse", fail)
    with pytest.raises(YamlError) as refused:
        read("a: 1")
    assert str(refused.value) == said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text("ab: -#'\"\n\\", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab1~", max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON, st.booleans())
def test_what_was_written_is_read(value: Any, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, default_style='"' if flow else None)
    assert read(text).value == value
