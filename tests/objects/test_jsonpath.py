"""Paths into objects."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.objects.jsonpath import JsonPathError, parse_json_path, simple_fields

OBJ: Any = {
    "metadata": {"labels": {"a.b/c": "x"}},
    "spec": {"l": [{"n": "p", "v": 1}, {"n": "q", "v": 2}], "s": "t"},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.s", ["t"]),
        ("{.spec.s}", ["t"]),
        ("$.spec.s", ["t"]),
        (".metadata.labels['a.b/c']", ["x"]),
        (r".metadata.labels.a\.b/c", ["x"]),
        (".spec.l[*].n", ["p", "q"]),
        (".spec.l[-1].v", [2]),
        (".spec.l[0:1].n", ["p"]),
        ('.spec.l[?(@.n=="q")].v', [2]),
        (".spec.l[?(@.v>1)].n", ["q"]),
        ("..v", [1, 2]),
        (".gone.x", []),
    ],
)
def test_find(path: str, found: list[Any]) -> None:
    assert parse_json_path(path).find(OBJ) == found


@pytest.mark.parametrize("path", [".a[", ".a[?(@.b==x)]", ".a[b]"])
def test_bad_paths_are_refused(path: str) -> None:
    with pytest.raises(JsonPathError, match=r"."):
        parse_json_path(path)


def test_simple_fields() -> None:
    assert simple_fields(".spec.replicas") == ("spec", "replicas")
    for bad in ("spec.replicas", ".spec[0]", ".spec."):
        with pytest.raises(JsonPathError, match="simple"):
            simple_fields(bad)


def test_what_is_reached_in_two_ways_is_walked_once() -> None:
    deep: dict[str, object] = {}
    for _ in range(200):
        deep = {"a": deep}
    assert len(parse_json_path("..a" * 12).find(deep)) == 189


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("[?(@.a" * 9 + ")]" * 9, "filters nest"),
        ("[?(@" + " " * 600 + "x", "unterminated"),
        ("[?(@.a =)]", "invalid filter"),
        ("[?(.a)]", "invalid filter"),
        ("[1:2:0]", "other than 0"),
    ],
)
def test_more_paths_that_are_none(path: str, why: str) -> None:
    with pytest.raises(JsonPathError, match=why):
        parse_json_path(path)
