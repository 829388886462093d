"""Selectors against their definition, on whatever requirements and labels hypothesis thinks of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.objects.selectors import (
    escape_field_value,
    from_label_selector,
    parse_field_selector,
    parse_label_selector,
)

KEYS = st.sampled_from(["a", "b", "x.io/a"])
LABEL_VALUES = st.sampled_from(["", "u", "v", "1", "2", "10"])
LABELS = st.dictionaries(KEYS, LABEL_VALUES, max_size=3)
SPACES = st.sampled_from(["", " ", "  "])


class Demand(NamedTuple):
    """One requirement on a label."""

    key: str
    operator: str
    values: tuple[str, ...]

    def holds(self, labels: Mapping[str, str]) -> bool:
        """As the documentation defines each operator."""
        has, value = self.key in labels, labels.get(self.key, "")
        match self.operator:
            case "exists":
                return has
            case "!":
                return not has
            case "=" | "==" | "in":
                return has and value in self.values
            case "!=" | "notin":
                return not has or value not in self.values
        if not (has and value.isdigit()):
            return False
        bound = int(self.values[0])
        return int(value) > bound if self.operator == ">" else int(value) < bound

    def text(self, space: str) -> str:
        """As kubectl takes it, with more or less space."""
        if self.operator == "exists":
            return f"{space}{self.key}{space}"
        if self.operator == "!":
            return f"!{space}{self.key}"
        if self.operator in ("in", "notin"):
            return f"{self.key} {self.operator} ({(space + ',').join(self.values)}{space})"
        return f"{self.key}{space}{self.operator}{space}{self.values[0]}"


def demands(operators: list[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[Demand]:
    return st.builds(
        Demand, KEYS, st.sampled_from(operators), st.lists(values, min_size=1, max_size=3).map(tuple)
    )


DEMANDS = (
    demands(["exists", "!", "=", "==", "!="], LABEL_VALUES)
    | demands(["in", "notin"], LABEL_VALUES.filter(bool))
    | demands([">", "<"], st.sampled_from(["0", "1", "5"]))
)
API = {"in": "In", "notin": "NotIn", "exists": "Exists", "!": "DoesNotExist"}


def wanted(demand: Demand) -> Demand:
    """Operators of one value look at the first only."""
    return demand if demand.operator in ("in", "notin") else demand._replace(values=demand.values[:1])


@given(st.lists(DEMANDS, min_size=1, max_size=4), LABELS, SPACES)
def test_label_selectors(asked: list[Demand], labels: dict[str, str], space: str) -> None:
    selector = parse_label_selector(",".join(demand.text(space) for demand in asked))
    assert selector.matches(labels) == all(wanted(demand).holds(labels) for demand in asked)
    again = parse_label_selector(str(selector))
    assert again == selector, "the canonical spelling means the same"


@given(
    st.dictionaries(KEYS, LABEL_VALUES, max_size=2),
    st.lists(demands(["in", "notin", "exists", "!"], LABEL_VALUES), max_size=3),
    LABELS,
)
def test_api_selectors(exact: dict[str, str], asked: list[Demand], labels: dict[str, str]) -> None:
    expressions = [
        {
            "key": demand.key,
            "operator": API[demand.operator],
            **({"values": list(demand.values)} if demand.operator in ("in", "notin") else {}),
        }
        for demand in asked
    ]
    selector = from_label_selector({"matchLabels": exact, "matchExpressions": expressions})
    holds = all(labels.get(key) == value for key, value in exact.items())
    assert selector.matches(labels) == (holds and all(demand.holds(labels) for demand in asked))


FIELDS = st.sampled_from(["metadata.name", "spec.nodeName", "status.phase"])
FIELD_VALUES = st.text("ab=,\\! ", max_size=4)


@given(
    st.lists(st.tuples(FIELDS, st.sampled_from(["=", "==", "!="]), FIELD_VALUES), min_size=1, max_size=4),
    st.dictionaries(FIELDS, FIELD_VALUES),
)
def test_field_selectors(asked: list[tuple[str, str, str]], fields: dict[str, str]) -> None:
    text = ",".join(f"{field}{operator}{escape_field_value(value)}" for field, operator, value in asked)
    selector = parse_field_selector(text)
    holds = all((fields.get(field, "") == value) == (operator != "!=") for field, operator, value in asked)
    assert selector.matches(fields) == holds
    assert parse_field_selector(str(selector)) == selector


@given(st.text("ab=,\\! ()<>", max_size=12))
def test_any_field_selector_parses_or_is_refused(text: str) -> None:
    """Nothing but ValueError comes of nonsense."""
    try:
        selector = parse_field_selector(text)
    except ValueError:
        return
    assert parse_field_selector(str(selector)) == selector


def test_long_selectors_take_no_square() -> None:
    many = ",".join(f"k{number}" for number in range(20_000))
    assert len(parse_label_selector(many).requirements) == 20_000
    with pytest.raises(ValueError, match="unable to parse requirement"):
        parse_label_selector(many + ",a in (")
