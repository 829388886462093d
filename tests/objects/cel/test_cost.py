"""Expressions stop when they have cost enough, and regular expressions in them cannot stall."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.objects.cel import Budget, CelCostError, CelError, compile_expression

TEN = "[0,1,2,3,4,5,6,7,8,9]"
SELF: dict[str, Any] = {"text": "a" * 300_000, "list": [str(n) for n in range(5_000)]}


def nested(depth: int, macro: str = "all") -> str:
    return "true" if depth == 0 else f"{TEN}.{macro}(v{depth}, {nested(depth - 1, macro)})"


@pytest.mark.parametrize(
    "source",
    [
        nested(12),
        nested(12, "exists_one") + " || true",
        nested(12) + " || true",
        nested(12, "map") + ".size() == 10",
        "self.list.all(x, !self.list.exists(y, y == 'none'))",
        pytest.param("self.list.all(x, x in self.list)", marks=pytest.mark.slow),
        pytest.param("self.list.all(i, v, v in self.list)", marks=pytest.mark.slow),
        "self.list.filter(x, self.text.contains(x)).size() > 0",
        "optional.of(self.text)" + ".optMap(a, a + a)" * 20 + ".value().size() > 0",
        "['a', 'b']" + ".map(x, x + x)" * 40 + ".size() == 2",
        "(" + " + ".join(["self.text"] * 200) + ").size() > 0",
        "self.text.replace('', self.text).size() > 0",
        pytest.param(
            "[self.text, self.text].join(self.text).split('').distinct().size() > 0", marks=pytest.mark.slow
        ),
        "self.list.join(self.text).size() > 0",
        "sets.contains(self.list, self.list) && sets.contains(self.list, self.list)",
        "lists.range(1000000000).size() > 0",
        "self.list.all(x, self.text.matches('(a+)+b') || true)",
    ],
)
def test_expensive_expressions_are_stopped(source: str) -> None:
    with pytest.raises(CelCostError, match="operation cancelled: actual cost limit exceeded"):
        compile_expression(source).evaluate({"self": SELF})


@pytest.mark.parametrize(
    "source",
    [
        "self.list.all(x, x.size() < 10)",
        "self.list.exists(x, x == '4999')",
        "self.list.map(x, x.size()).sum() > 0",
        "self.text.size() == 300000 && self.text.matches('^(a+)+$')",
        "'7' in self.list",
        "self.list.filter(x, x.size() == 1).size() == 10",
        "self.list.map(x, x.size() == 1, x + 'a').size() == 10",
        "[1, 2].map(x, [x, 5].map(y, y * x)) == [[1, 5], [4, 10]]",
        "[1, 2].map(x, [3, 4].filter(y, y > x + 1)) == [[3, 4], [4]]",
        "[1u, 2u].map(x, x + 1u) == [2u, 3u]",
        "[[1, 0], [2, 4]].map(l, l.map(y, 8 / y).size() == 2 || true) == [true, true]",
    ],
)
def test_ordinary_ones_are_not(source: str) -> None:
    assert compile_expression(source).evaluate({"self": SELF}) is True


def test_a_budget_is_spent_by_all_who_share_it() -> None:
    budget = Budget(8_000)
    small = compile_expression("self.all(x, x >= 0)")
    small.evaluate({"self": list(range(1000))}, budget)
    assert 5_000 <= budget.spent <= 8_000
    with pytest.raises(CelCostError):
        small.evaluate({"self": list(range(1000))}, budget)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("self.matches('(a')", "ERROR: <input>:1:14: invalid matches argument"),
        ("self.find(r'a(?=b)')", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"),
        ("self.findAll('*', 3)", "error parsing regexp: missing argument to repetition operator: `*`"),
    ],
)
def test_patterns_written_out_are_judged_when_compiled(source: str, told: str) -> None:
    with pytest.raises(CelError) as error:
        compile_expression(source)
    assert told in str(error.value)


def test_catastrophic_patterns_are_not() -> None:
    text = "a" * 3_000 + "!"
    assert compile_expression("self.matches('^(a+)+$')").evaluate({"self": text}) is False
    assert compile_expression("self.find('^(a|aa)+$')").evaluate({"self": text}) == ""
    assert compile_expression("self.findAll('(a+)+b').size()").evaluate({"self": text}) == 0


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("'" + "a" * 100_000 + "'", "expression code point size exceeds limit: size: 100002, limit 100000"),
        ("(" * 3_000 + "1" + ")" * 3_000, "expression recursion limit exceeded"),
        ("(" * 251 + "1" + ")" * 251, "expression recursion limit exceeded"),
        ("[1].all(x, " * 300 + "true" + ")" * 300, "expression recursion limit exceeded"),
        ("self" + ".a" * 4_000, "max recursion depth exceeded"),
        ("self" + "[0]" * 2_500, "max recursion depth exceeded"),
        ("1" + " + 1" * 2_400, "max recursion depth exceeded"),
        ("true" + " || true" * 8_000, "expression has too many parts: limit 10000"),
    ],
    ids=("long", "brackets", "some brackets", "loops", "fields", "indices", "sums", "parts"),
)
def test_expressions_that_would_exhaust_the_parser(source: str, told: str) -> None:
    with pytest.raises(CelError, match=told):
        compile_expression(source)


def test_long_ones_are_taken_within_reason() -> None:
    names = ", ".join(f"'name-{n}'" for n in range(1_000))
    assert compile_expression(f"self in [{names}]").evaluate({"self": "name-999"}) is True
    deep = "[1].all(x, " * 20 + "true" + ")" * 20
    assert compile_expression(deep).evaluate({}) is True


def test_mistakes_are_shown_where_they_are() -> None:
    with pytest.raises(CelError) as error:
        compile_expression("self.all(x, x ==)")
    assert str(error.value).startswith("ERROR: <input>:1:17: Syntax error: ")
    assert "self.all(x, x ==)" in str(error.value)
    assert "__step__" not in str(error.value)
