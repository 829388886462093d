"""Labels and label selectors."""

from typing import Any

import pytest

from wherry.api.validation import SelectorOptions, validate_label_selector, validate_labels


def test_good_labels_pass() -> None:
    assert validate_labels({"app": "a", "example.com/x": ""}, "metadata.labels") == []
    assert validate_labels(None, "metadata.labels") == []


def test_key_and_value_are_both_told() -> None:
    errors = validate_labels({"-k": "-v"}, "metadata.labels")
    assert [error.field for error in errors] == ["metadata.labels", "metadata.labels"]
    assert errors[0].message.startswith('Invalid value: "-k": name part must consist of')
    assert errors[1].message.startswith('Invalid value: "-v": a valid label must be')


REQUIREMENTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"key": "a", "operator": "In", "values": ["b"]}, []),
    ({"key": "a", "operator": "Exists"}, []),
    (
        {"key": "a", "operator": "In"},
        [
            (
                "s.matchExpressions[0].values: Required value: "
                "must be specified when `operator` is 'In' or 'NotIn'"
            )
        ],
    ),
    (
        {"key": "a", "operator": "DoesNotExist", "values": ["b"]},
        [
            (
                "s.matchExpressions[0].values: Forbidden: "
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            )
        ],
    ),
    (
        {"key": "a", "operator": "Gt", "values": ["1"]},
        ['s.matchExpressions[0].operator: Invalid value: "Gt": not a valid selector operator'],
    ),
]


@pytest.mark.parametrize(("requirement", "texts"), REQUIREMENTS)
def test_requirements(requirement: dict[str, Any], texts: list[str]) -> None:
    assert [str(e) for e in validate_label_selector({"matchExpressions": [requirement]}, "s")] == texts


def test_old_values_can_be_let_through() -> None:
    selector = {"matchExpressions": [{"key": "a", "operator": "In", "values": ["-"]}]}
    assert [e.field for e in validate_label_selector(selector, "s")] == ["s.matchExpressions[0].values[0]"]
    assert validate_label_selector(selector, "s", SelectorOptions(allow_invalid_values=True)) == []
