from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.objects.selectors import (
    EVERYTHING,
    MANY,
    NOTHING,
    ByLabels,
    Requirement,
    Selector,
    from_label_selector,
    from_map,
    parse_field_selector,
    parse_label_selector,
)

LABELS = {"app": "web", "tier": "front", "rank": "7", "empty": ""}


@pytest.mark.parametrize(
    ("text", "canonical", "matches"),
    [
        ("", "", True),
        ("app=web", "app=web", True),
        ("app == web", "app==web", True),
        ("app!=web", "app!=web", False),
        ("nope!=web", "nope!=web", True),
        ("nope=", "nope=", False),
        ("empty=", "empty=", True),
        ("app", "app", True),
        ("!app", "!app", False),
        ("!nope", "!nope", True),
        ("app in (web, api)", "app in (api,web)", True),
        ("app in (web)", "app in (web)", True),
        ("app notin (web)", "app notin (web)", False),
        ("nope notin (x,y)", "nope notin (x,y)", True),
        ("empty in (,x)", "empty in (,x)", True),
        ("empty in ()", "empty in ()", True),
        ("empty in (a,,b)", "empty in (,a,b)", True),
        ("rank>5", "rank>5", True),
        ("rank<5", "rank<5", False),
        ("app>5", "app>5", False),
        ("nope>5", "nope>5", False),
        ("tier=front,app=web", "app=web,tier=front", True),
        ("app=web,tier=back", "app=web,tier=back", False),
        ("in in (in)", "in in (in)", False),
        ("a.b/c-d=e_f", "a.b/c-d=e_f", False),
    ],
)
def test_label_selectors(text: str, canonical: str, matches: bool) -> None:
    selector = parse_label_selector(text)
    assert str(selector) == canonical
    assert selector.matches(LABELS) is matches
    assert parse_label_selector(canonical) == selector
    assert selector.is_empty == (text == "")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("app=web,", "found '', expected: identifier after ','"),
        ("app=web x", "found 'x', expected: ',' or 'end of string'"),
        ("=web", "found '=', expected: !, identifier, or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        (
            "app web",
            "unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt",
        ),
        ("app in web", "unable to parse requirement: found 'web' expected: '('"),
        ("app in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'"),
        ("app in (=", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
        ("app=(", "unable to parse requirement: found '(', expected: identifier"),
        (
            "rank>x",
            (
                'unable to parse requirement: values[0]: Invalid value: "x": '
                "for 'Gt', 'Lt' operators, the value must be an integer"
            ),
        ),
    ],
)
def test_label_selector_errors(text: str, error: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_label_selector(text)
    assert str(raised.value) == error


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("-x=1", 'unable to parse requirement: <nil>: Invalid value: "-x": name part must consist of'),
        ("x=-1", 'unable to parse requirement: values[0][x]: Invalid value: "-1": a valid label must be'),
    ],
)
def test_label_selectors_check_keys_and_values(text: str, start: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_label_selector(text)
    assert str(raised.value).startswith(start)


def test_absent_and_empty_api_selectors_are_opposites() -> None:
    assert from_label_selector(None) is NOTHING
    assert not NOTHING.matches({})
    assert not NOTHING.is_empty
    assert from_label_selector({}) is EVERYTHING
    assert EVERYTHING.matches(None)
    assert from_map({}) is EVERYTHING


def test_api_selectors() -> None:
    selector = from_label_selector(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["front", "back"]},
                {"key": "x", "operator": "DoesNotExist"},
                {"key": "rank", "operator": "Exists"},
                {"key": "app", "operator": "NotIn", "values": ["api"]},
            ],
        }
    )
    assert str(selector) == "app=web,app notin (api),rank,tier in (back,front),!x"
    assert selector.matches(LABELS)
    assert selector.required_exact("app") == "web"
    assert selector.required_exact("tier") is None


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ({"key": "a", "operator": "Gt", "values": ["1"]}, '"Gt" is not a valid label selector operator'),
        (
            {"key": "a", "operator": "In"},
            "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty",
        ),
        (
            {"key": "a", "operator": "Exists", "values": ["x"]},
            'values: Invalid value: ["x"]: values set must be empty for exists and does not exist',
        ),
    ],
)
def test_api_selector_errors(expression: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError) as raised:
        from_label_selector({"matchExpressions": [expression]})
    assert str(raised.value) == error


@pytest.mark.parametrize(
    ("text", "canonical", "matches"),
    [
        ("", "", True),
        (",", "", True),
        ("status.phase=Running", "status.phase=Running", True),
        ("status.phase==Running", "status.phase=Running", True),
        ("status.phase!=Running", "status.phase!=Running", False),
        ("spec.nodeName=", "spec.nodeName=", True),
        (r"a=x\,y\=z\\", r"a=x\,y\=z\\", True),
        ("status.phase=Running,spec.nodeName!=n", "spec.nodeName!=n,status.phase=Running", True),
    ],
)
def test_field_selectors(text: str, canonical: str, matches: bool) -> None:
    selector = parse_field_selector(text)
    assert str(selector) == canonical
    assert selector.matches({"status.phase": "Running", "a": "x,y=z\\"}) is matches
    assert selector.is_empty == (canonical == "")


def test_field_selector_facts() -> None:
    selector = parse_field_selector("metadata.name=a,b!=c")
    assert selector.fields == ("b", "metadata.name")
    assert selector.required_exact("metadata.name") == "a"
    assert selector.required_exact("b") is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a=b,c", "invalid selector: 'a=b,c'; can't understand 'c'"),
        ("a=b=c", "invalid field selector: unescaped character in value: ="),
        (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
    ],
)
def test_field_selector_errors(text: str, error: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_field_selector(text)
    assert str(raised.value) == error


@given(st.text("ab=!,() in<>\t", max_size=12))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        selector = parse_label_selector(text)
    except ValueError:
        return
    assert parse_label_selector(str(selector)) == selector


KEYS, VALUES = ("a", "b", "c"), ("1", "2", "x")
REQUIREMENTS = st.builds(
    Requirement,
    st.sampled_from(KEYS),
    st.sampled_from(["=", "==", "!=", "in", "notin", "exists", "!", ">", "<"]),
    st.frozensets(st.sampled_from(VALUES), min_size=1, max_size=1),
) | st.builds(
    Requirement,
    st.sampled_from(KEYS),
    st.sampled_from(["in", "notin"]),
    st.frozensets(st.sampled_from(VALUES), min_size=1),
)


@given(st.lists(REQUIREMENTS, max_size=20), st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES)))
def test_a_selector_is_all_of_its_requirements(
    requirements: list[Requirement], labels: dict[str, str]
) -> None:
    expected = all(requirement.matches(labels) for requirement in requirements)
    assert Selector(requirements).matches(labels) is expected


@pytest.mark.parametrize("term", ["!k{}", "k{}!=x", "a!=v{}", "a notin (v{})", "a=b,a!=v{}"])
def test_objects_pay_for_their_labels_not_for_the_terms_of_a_selector(term: str) -> None:
    class Counted(dict[str, str]):
        asked = 0

        def get(self, key: str, default: Any = None) -> Any:
            Counted.asked += 1
            return super().get(key, default)

    selector = parse_label_selector(",".join(term.format(number) for number in range(2000)))
    assert selector.matches(Counted({"a": "b", "b": "c"}))
    assert Counted.asked < 20


def test_a_large_one_is_read_once() -> None:
    def made(last: str) -> Mapping[str, Any]:
        keys = [*(f"k{number}" for number in range(MANY)), last]
        return {"matchExpressions": [{"key": key, "operator": "Exists"} for key in keys]}

    large = from_label_selector(made("a"))
    assert from_label_selector(made("a")) is large
    assert from_label_selector(made("b")) != large
    with pytest.raises(ValueError, match="name part must consist"):
        from_label_selector(made("-"))
    values = {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"] * MANY}]}
    assert from_label_selector(values) is from_label_selector(dict(values))


@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy1"), max_size=3), max_size=8),
    st.sampled_from(["", "a=x", "a", "!a", "a in (x,y),b", "a notin (x)", "a>0", "b!=x,c=y", "c in (x)"]),
)
def test_those_a_selector_chooses_are_those_it_matches(several: list[dict[str, str]], text: str) -> None:
    selector = parse_label_selector(text)
    chosen = list(ByLabels(zip(several, range(len(several)), strict=True)).chosen(selector))
    assert chosen == [place for place, labels in enumerate(several) if selector.matches(labels)]
    assert list(ByLabels([({"a": "x"}, "p")]).chosen(NOTHING)) == []
