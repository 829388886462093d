"""Which taints a toleration covers (core/v1, Toleration.ToleratesTaint)."""

from __future__ import annotations

import pytest

from wherry.objects.meta import Object
from wherry.objects.taints import tolerates

TAINT = ("k", "v", "NoExecute")


@pytest.mark.parametrize(
    ("toleration", "taint", "expected"),
    [
        ({"operator": "Exists"}, TAINT, True),
        ({"key": "k", "operator": "Exists"}, TAINT, True),
        ({"key": "k", "operator": "Exists", "effect": "NoSchedule"}, TAINT, False),
        ({"key": "k", "value": "v", "effect": "NoExecute"}, TAINT, True),
        ({"key": "k", "operator": "Equal", "value": "w"}, TAINT, False),
        ({"key": "other", "operator": "Exists"}, TAINT, False),
        ({"key": "k", "operator": "Gt", "value": "5"}, ("k", "7", "NoExecute"), True),
        ({"key": "k", "operator": "Gt", "value": "7"}, ("k", "7", "NoExecute"), False),
        ({"key": "k", "operator": "Lt", "value": "8"}, ("k", "7", "NoExecute"), True),
        ({"key": "k", "operator": "Lt", "value": "8"}, ("k", "v", "NoExecute"), False),
        ({"key": "k", "operator": "Lt", "value": "8"}, ("k", " 7", "NoExecute"), False),
        ({"key": "k", "operator": "Odd", "value": "v"}, TAINT, False),
    ],
)
def test_tolerates(toleration: Object, taint: tuple[str, str, str], expected: bool) -> None:
    assert tolerates(toleration, taint) == expected
