"""Priority levels, held against upstream's words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.flowcontrol.priority_level_configurations import (
    FIXED,
    PRIORITY_LEVEL_CONFIGURATIONS,
    entropy_bits,
)


def level(name: str = "l", kind: str = "Limited", **limited: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"type": kind}
    if kind == "Limited":
        spec["limited"] = {"limitResponse": {"type": "Reject"}, **limited}
    return {"metadata": {"name": name}, "spec": spec}


def queuing(**fields: Any) -> dict[str, Any]:
    return level(limitResponse={"type": "Queue", "queuing": fields})


def told(obj: dict[str, Any]) -> list[str]:
    PRIORITY_LEVEL_CONFIGURATIONS.strategy.default(obj)
    return [str(error) for error in PRIORITY_LEVEL_CONFIGURATIONS.strategy.validate(obj, None)]


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (
            level(kind="Exempt"),
            "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'",
        ),
        (
            {"metadata": {"name": "l"}, "spec": {"type": "Limited"}},
            "spec.limited: Required value: must not be empty when type is Limited",
        ),
        (
            level(kind="Some"),
            'spec.type: Unsupported value: "Some": supported values: "Exempt", "Limited"',
        ),
        (
            level(nominalConcurrencyShares=-1),
            "spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer",
        ),
        (
            level(lendablePercent=101),
            "spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive",
        ),
        (
            level(borrowingLimitPercent=-5),
            (
                "spec.limited.borrowingLimitPercent: Invalid value: -5: if specified, "
                "must be a non-negative integer"
            ),
        ),
        (
            level(limitResponse={"type": "Shrug"}),
            (
                'spec.limited.limitResponse.type: Unsupported value: "Shrug": supported '
                'values: "Queue", "Reject"'
            ),
        ),
        (
            level(limitResponse={"type": "Reject", "queuing": {}}),
            (
                "spec.limited.limitResponse.queuing: Forbidden: must be nil if "
                "limited.limitResponse.type is not "
                "Limited"
            ),
        ),
        (
            level(limitResponse={"type": "Queue"}),
            (
                "spec.limited.limitResponse.queuing: Required value: must not be empty if "
                "limited.limitResponse.type is Limited"
            ),
        ),
        (
            queuing(queues=10_000_001, handSize=1),
            (
                "spec.limited.limitResponse.queuing.queues: Invalid value: 10000001: must "
                "not be greater than "
                "10000000"
            ),
        ),
        (
            queuing(queues=4),
            (
                "spec.limited.limitResponse.queuing.handSize: Invalid value: 8: should not be greater than "
                "queues (4)"
            ),
        ),
        (
            queuing(queues=512, handSize=8),
            (
                "spec.limited.limitResponse.queuing.handSize: Invalid value: 8: required "
                "entropy bits of deckSize "
                "512 and handSize 8 should not be greater than 60"
            ),
        ),
        (
            queuing(queueLengthLimit=-1),
            "spec.limited.limitResponse.queuing.queueLengthLimit: Invalid value: -1: must be positive",
        ),
    ],
)
def test_levels_that_are_refused(obj: dict[str, Any], text: str) -> None:
    assert told(obj) == [text]


def test_levels_that_are_fine() -> None:
    assert told(level()) == []
    assert told(queuing()) == []
    assert entropy_bits(64, 8) < 60


def test_what_must_be_there_is_as_it_is() -> None:
    exempt = {"metadata": {"name": "exempt"}, "spec": {"type": "Exempt", "exempt": {"lendablePercent": 50}}}
    assert told(exempt) == []
    last = {"metadata": {"name": "catch-all"}, "spec": copy.deepcopy(FIXED["catch-all"])}
    assert told(last) == []
    last["spec"]["limited"]["nominalConcurrencyShares"] = 6
    assert [text.rpartition(": ")[2] for text in told(last)] == [
        "spec of 'catch-all' must equal the fixed value"
    ]
