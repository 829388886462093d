"""Runtime classes."""

from typing import Any

import pytest

from tests.api.objects import create, make
from wherry.api.node.runtime_classes import RUNTIME_CLASSES

TOLERATION = {"key": "k", "operator": "Exists", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (
            {"overhead": {"podFixed": {"foo": "1"}}},
            (
                'overhead.limits[foo]: Invalid value: "foo": '
                "must be a standard resource type or fully qualified"
            ),
        ),
        (
            {"scheduling": {"tolerations": [TOLERATION, {**TOLERATION, "tolerationSeconds": None}]}},
            "scheduling.tolerations[1]: Duplicate value: ",
        ),
        ({"scheduling": {"nodeSelector": {"-": "a"}}}, 'scheduling.nodeSelector: Invalid value: "-"'),
    ],
)
def test_refused(parts: dict[str, Any], text: str) -> None:
    (first, *_) = create(RUNTIME_CLASSES, make(RUNTIME_CLASSES, handler="h", **parts))[1]
    assert first.startswith(text)
