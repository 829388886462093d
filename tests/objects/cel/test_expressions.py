"""Expressions with what Kubernetes adds to the language."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.kit.remembered import LONGEST
from wherry.objects.cel import CelError, compile_expression
from wherry.objects.cel.cost import may_take_long

SELF: Any = {"a": 1, "l": [1, 2, 3], "m": {"x": "1", "y": "2"}, "s": "abc", "o": {"p": {"q": 5}}}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("self.?z.orValue(5)", 5),
        ("self.?o.p.q.orValue(0)", 5),
        ("self.l[?7].orValue(9)", 9),
        ("self.o.?p.?z.hasValue()", False),
        ("self.m.transformMap(k, v, v + k) == {'x': '1x', 'y': '2y'}", True),
        ("self.l.transformMap(i, v, v > 1, v * 10) == {1: 20, 2: 30}", True),
        ("self.m.transformMapEntry(k, v, {v: k}) == {'1': 'x', '2': 'y'}", True),
        ("self.?a.optMap(x, x + 1).orValue(0)", 2),
        ("self.?z.optMap(x, x + 1).orValue(0)", 0),
        ("self.?o.optFlatMap(x, x.?p).hasValue()", True),
        ("self.?o.optFlatMap(x, x.?z).hasValue()", False),
        ("self.m.all(k, v, k != v)", True),
        ("self.l.exists(i, v, i == 0 && v == 1)", True),
        ("self.l.transformList(i, v, i * v)", [0, 2, 6]),
        ("quantity('1Gi').isGreaterThan(quantity('1Mi'))", True),
        ("quantity('1') == quantity('1000m')", True),
        ("quantity('1').add(quantity('500m')).isInteger()", False),
        ("url('https://a.b:80/x?y=1').getHostname()", "a.b"),
        ("isURL('nonsense')", False),
        ("ip('10.0.0.1').family()", 4),
        ("ip.isCanonical('::0')", False),
        ("cidr('10.0.0.0/8').containsIP('10.1.1.1')", True),
        ("cidr('10.0.0.0/8').containsCIDR('11.0.0.0/16')", False),
        ("'%s-%d'.format([self.s, 3])", "abc-3"),
        ("self.s.find('b.')", "bc"),
        ("'a1b2'.findAll('[0-9]')", ["1", "2"]),
        ("format.named('dns1123Label').value().validate('a_b').hasValue()", True),
        ("semver('1.2.3').isLessThan(semver('1.10.0'))", True),
        ("semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))", True),
        ("self.l.isSorted() && self.l.sum() == 6 && self.l.min() == 1", True),
        ("self.l.indexOf(2) + 'abcabc'.lastIndexOf('b')", 5),
        ("timestamp('2026-01-01T00:30:00.25Z').getHours('Europe/Berlin')", 1),
        ("'größe'.size() + size('日本語') + '\\u00e9'.size() + size(self.l) + size(b'\\xc3\\xa9')", 14),
        ("['é', 'ab'].all(x, x.size() == 1 || x.size() == 2) && {'é': 'ü'}.size() == 1", True),
        ("string(ip('10.0.0.1')) + string(cidr('10.0.0.0/8')) + string(1)", "10.0.0.110.0.0.0/81"),
        ("timestamp('2026-01-01T00:30:00.25Z').getDayOfWeek('America/New_York')", 3),
        ("timestamp('2026-01-01T00:30:00.25Z').getDate('-02:15')", 31),
        ("timestamp('2026-01-01T00:30:00.25Z').getDayOfMonth('+02:00')", 0),
        ("timestamp('2026-01-01T00:30:00.25Z').getDayOfYear('UTC')", 0),
        ("timestamp('2026-01-01T00:30:00.25Z').getMonth('')", 0),
        ("timestamp('2026-01-01T00:30:00.25Z').getMilliseconds('UTC')", 250),
        ("timestamp('2026-01-01T00:30:00.25Z').getMinutes() + duration('90m').getHours()", 31),
        ("'a,b'.split(',') == ['a', 'b'] && 'A'.lowerAscii() == 'a'", True),
    ],
)
def test_values(source: str, value: Any) -> None:
    assert compile_expression(source).evaluate({"self": SELF}) == value


def test_sizes_are_told_in_characters() -> None:
    expression = compile_expression("self.name.size() <= 3 && self.names.all(n, size(n) == 1)")
    assert expression.evaluate({"self": {"name": "日本語", "names": ["é", "ü"]}}) is True
    assert expression.evaluate({"self": {"name": "abc", "names": ["a"]}}) is True
    assert expression.evaluate({"self": {"name": "日本語語", "names": []}}) is False
    with pytest.raises(CelError, match="no such overload"):
        compile_expression("size(self.a) == 1 || 'é' == ''").evaluate({"self": SELF})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("self.nope", "no such key: nope"),
        ("timestamp('2026-01-01T00:00:00Z').getHours('Mars/Base')", "unknown time zone Mars/Base"),
        ("boom(self)", "undeclared reference to 'boom'"),
        ("self.a + 'x' == 'y'", "no such overload"),
        ("self.a / 0", "division by zero"),
        ("self.a +", "ERROR: <input>:1:"),
        ("self.?a.#", "token recognition error at: '#'"),
    ],
)
def test_failures(source: str, text: str) -> None:
    with pytest.raises(CelError, match=r".") as told:
        compile_expression(source).evaluate({"self": SELF})
    assert text in str(told.value)


@pytest.mark.parametrize(
    ("source", "depth"),
    [
        ("self.a", 0),
        ("self.all(x, x)", 1),
        ("self.all(x, x.exists(y, y))", 2),
        ("self.all(x, x) || l.exists(x, x)", 1),
    ],
)
def test_nesting_of_loops(source: str, depth: int) -> None:
    assert compile_expression(source).nesting == depth


def test_what_is_long_is_compiled_once() -> None:
    source = f"[{', '.join(['1'] * 300)}].all(x, x > 0)"
    assert len(source) > LONGEST
    assert compile_expression(source) is compile_expression(source)
    assert compile_expression(source).evaluate({}) is True


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["self.a > 1", "self.items.all(x, x > 0)"], False),
        (["self.a.all(x, self.b.exists(y, x == y))"], True),
        (["self.a . map ( x, x).filter(x, x > 1)"], True),
        (["x" * 513], True),
        (["x" * 300] * 4, True),
        ([], False),
    ],
)
def test_what_may_take_long(sources: list[str], expected: bool) -> None:
    assert may_take_long(sources) is expected
