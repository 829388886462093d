from __future__ import annotations

import pytest

from wherry.objects.intstr import is_percent, resolve


@pytest.mark.parametrize(
    ("value", "total", "up", "down"),
    [(3, 10, 3, 3), ("25%", 10, 3, 2), ("50%", 4, 2, 2), ("0%", 9, 0, 0), ("100%", 7, 7, 7), ("1%", 1, 1, 0)],
)
def test_resolves(value: int | str, total: int, up: int, down: int) -> None:
    assert resolve(value, total, round_up=True) == up
    assert resolve(value, total, round_up=False) == down


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("5", "invalid value for IntOrString: invalid type: string is not a percentage"),
        (
            "x%",
            'invalid value for IntOrString: invalid value "x%": strconv.Atoi: parsing "x": invalid syntax',
        ),
    ],
)
def test_refuses_other_text(value: str, text: str) -> None:
    assert not is_percent(value)
    with pytest.raises(ValueError) as error:
        resolve(value, 10, round_up=True)
    assert str(error.value) == text
