from __future__ import annotations

import pytest

from wherry.api.apps.deployment_math import resolve_fenceposts


@pytest.mark.parametrize(
    ("surge", "unavailable", "desired", "expected"),
    [
        ("25%", "25%", 4, (1, 1)),
        ("25%", "25%", 1, (1, 0)),
        ("25%", "25%", 10, (3, 2)),
        (0, "25%", 1, (0, 1)),
        (0, 0, 0, (0, 1)),
        (2, 1, 10, (2, 1)),
        ("100%", 0, 3, (3, 0)),
    ],
)
def test_fenceposts(
    surge: int | str, unavailable: int | str, desired: int, expected: tuple[int, int]
) -> None:
    assert resolve_fenceposts(surge, unavailable, desired) == expected
