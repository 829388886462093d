"""Priority classes."""

import pytest

from tests.api.objects import create, make
from wherry.api.scheduling.priority_classes import PRIORITY_CLASSES

RESERVED = (
    "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only"
)


@pytest.mark.parametrize(
    ("name", "value", "is_default", "texts"),
    [
        ("high", 1_000_000_000, False, []),
        ("system-cluster-critical", 2_000_000_000, False, []),
        (
            "high",
            1_000_000_001,
            False,
            ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
        ),
        (
            "system-mine",
            1,
            False,
            [f"{RESERVED}. error: system-mine is not a known system priority class"],
        ),
        (
            "system-node-critical",
            1,
            False,
            [f"{RESERVED}. error: value of system-node-critical PriorityClass must be 2000001000"],
        ),
        (
            "system-node-critical",
            2_000_001_000,
            True,
            [f"{RESERVED}. error: globalDefault of system-node-critical PriorityClass must be false"],
        ),
    ],
)
def test_values(name: str, value: int, is_default: bool, texts: list[str]) -> None:
    obj = make(PRIORITY_CLASSES, name, value=value, globalDefault=is_default)
    assert create(PRIORITY_CLASSES, obj)[1] == texts
