"""What a rule may cost at the most, judged where it is declared."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.objects.structural.rule_checks import rule_declaration_errors

TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
FEW: dict[str, Any] = {**TEXTS, "maxItems": 5}
THRICE = "self.{0}.all(a, self.{0}.all(b, self.{0}.all(c, a == b || b == c)))"


def errors_of(rule: str, **fields: Any) -> list[str]:
    schema = {"type": "object", "properties": fields, "x-kubernetes-validations": [{"rule": rule}]}
    return [str(error) for error in rule_declaration_errors(schema, "root")]


def test_loops_in_loops_over_a_list_without_bounds_are_refused() -> None:
    (told,) = errors_of(THRICE.format("tags"), tags=TEXTS)
    assert told.startswith(
        "root.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of "
        "more than 100x"
    )


@pytest.mark.parametrize("name", ["few", "other-few"])
def test_lists_a_rule_does_not_look_at_cost_nothing(name: str) -> None:
    rule = THRICE.format(name.replace("-", "__dash__"))
    assert (
        errors_of(
            rule, **{name: FEW, "tags": TEXTS, "map": {"type": "object", "additionalProperties": TEXTS}}
        )
        == []
    )


def test_bounded_lists_below_others_are_looked_at_too() -> None:
    inner = {"type": "object", "properties": {"few": FEW, "tags": TEXTS}}
    assert errors_of(THRICE.format("inner.few"), inner=inner) == []
    assert len(errors_of(THRICE.format("inner.tags"), inner=inner)) == 1
