"""Config maps."""

from typing import Any

import pytest

from tests.api.objects import cells, create, make, update
from wherry.api.core.config_maps import CONFIG_MAPS

LOCKED = "Forbidden: field is immutable when `immutable` is set"


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"data": {"..": "x"}}, "data[..]: Invalid value: \"..\": must not be '..'"),
        (
            {"data": {"k": "x"}, "binaryData": {"k": "eA=="}},
            'data[k]: Invalid value: "k": duplicate of key present in binaryData',
        ),
        ({"data": {"k": "x" * 1048577}}, "[]: Too long: may not be more than 1048576 bytes"),
    ],
)
def test_refused(parts: dict[str, Any], text: str) -> None:
    _, errors = create(CONFIG_MAPS, make(CONFIG_MAPS, **parts))
    assert errors == [text]


def test_row() -> None:
    obj = make(CONFIG_MAPS, data={"a": "1"}, binaryData={"b": "eA=="})
    assert cells(CONFIG_MAPS, obj) == {"Name": "a", "Data": 2, "Age": "5m"}


def test_locked_once_immutable() -> None:
    old = make(CONFIG_MAPS, data={"a": "1"}, immutable=True)
    _, errors = update(CONFIG_MAPS, old, make(CONFIG_MAPS, data={"a": "2"}))
    assert errors == [f"immutable: {LOCKED}", f"data: {LOCKED}"]
    labelled = make(CONFIG_MAPS, data={"a": "1"}, immutable=True, metadata={"labels": {"x": "y"}})
    assert update(CONFIG_MAPS, old, labelled)[1] == []
    assert update(CONFIG_MAPS, make(CONFIG_MAPS, data={"a": "1"}), old)[1] == []
