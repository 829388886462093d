"""Texts that many tables share."""

from typing import Any

import pytest

from wherry.api.columns import bool_text, container_cells, format_labels, format_selector


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (None, "<none>"),
        ({}, "<none>"),
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x"]}]}, "a in (x,y)"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}, "a notin (x)"),
        (
            {
                "matchLabels": {"c": "d"},
                "matchExpressions": [
                    {"key": "b", "operator": "DoesNotExist"},
                    {"key": "a", "operator": "Exists"},
                ],
            },
            "a,!b,c=d",
        ),
    ],
)
def test_selectors(selector: dict[str, Any] | None, text: str) -> None:
    assert format_selector(selector) == text


def test_small_texts() -> None:
    assert format_labels({"b": "2", "a": "1"}) == "a=1,b=2"
    assert format_labels(None) == "<none>"
    assert container_cells({"containers": [{"name": "a", "image": "x"}, {"name": "b"}]}) == ["a,b", "x,"]
    assert [bool_text(value) for value in (True, False, None)] == ["true", "false", "<unset>"]
