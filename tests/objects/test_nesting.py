from __future__ import annotations

from typing import Any

import pytest

from wherry.objects.nesting import is_too_deep


def nested(levels: int, leaf: Any = 1) -> Any:
    value = leaf
    for level in range(levels):
        value = {"a": value} if level % 2 else [value, 0]
    return value


@pytest.mark.parametrize("leaf", [1, {}, [], "x"])
def test_levels_are_counted(leaf: Any) -> None:
    own = int(leaf in ({}, []))
    for levels in (0, 1, 5, 5000):
        assert is_too_deep(nested(levels, leaf), levels + own) is False
        if levels + own:
            assert is_too_deep(nested(levels, leaf), levels + own - 1) is True


def test_what_is_wide_is_not_deep() -> None:
    assert not is_too_deep([[] for _ in range(100_000)], 2)
