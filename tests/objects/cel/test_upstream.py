"""What Kubernetes 1.37 makes of some thousand expressions, and what we make of them.

`data/expressions.jsonl` holds facts, found by evaluating each expression in the environment of
k8s.io/apiserver v0.37.2 with the variables below: a value, or the text of the error. Of errors of the
compiler only places and words are written down, the lines they show follow from the source. Values are
written with their types: `int:1`, `uint:1`, `double:` and its bits, `string:a`, `bytes:` in base64,
durations in nanoseconds. `data/differences.jsonl` holds those we answer differently, each with the reason;
docs/compatibility.md counts them.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from wherry.objects.cel import CelError
from wherry.objects.cel.checker import Environment
from wherry.objects.cel.expression import compile_checked
from wherry.objects.cel.times import timestamp_text
from wherry.objects.cel.types import DYN
from wherry.objects.cel.values import Optional, Timestamp, kind

DATA = Path(__file__).parent / "data"
DOCS = Path(__file__).parents[3] / "docs" / "compatibility.md"
SELF: dict[str, Any] = {
    "a": 1,
    "f": 1.5,
    "b": True,
    "n": None,
    "s": "abc",
    "u": "größe日本",
    "l": [1, 2, 3],
    "ls": ["b", "a", "c"],
    "e": [],
    "mix": [1, "x", True, None, 2.5],
    "m": {"x": "1", "y": "2"},
    "o": {"p": {"q": 5}},
    "lo": [{"name": "a", "v": 1}, {"name": "b", "v": 2}],
    "in": {"z": 1},
    "date": "2024-01-01",
}
VARIABLES = {"self": SELF, "oldSelf": {"a": 1}}
ENVIRONMENT = Environment(dict.fromkeys(VARIABLES, DYN), objects=False)
EXPRESSION_STARTS = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, "
    "IDENTIFIER}"
)
_PLACE = re.compile(r"ERROR: <input>:(?=-?\d+:\d+: )")
_WHOLE = "program instantiation failed: "


def shown(value: Any) -> Any:
    """A value as the table writes it."""
    name = kind(value)
    match name:
        case "bool":
            return value
        case "null_type":
            return "null"
        case "int" | "uint":
            return f"{name}:{int(value)}"
        case "double":
            return f"double:{_double(value)}"
        case "string":
            return f"string:{value}"
        case "bytes":
            return f"bytes:{base64.b64encode(value).decode()}"
        case "google.protobuf.Duration":
            return f"duration:{value.ns}"
        case "google.protobuf.Timestamp":
            return f"timestamp:{timestamp_text(Timestamp(value.ns))}"
        case "type":
            return f"type:{value.name}"
        case "list":
            return [shown(item) for item in value]
        case "map":
            return {"map": sorted(([shown(key), shown(item)] for key, item in value.items()), key=str)}
    if isinstance(value, Optional):
        return {"optional": shown(value.value)} if value.is_there else "optional.none"
    return name


def _double(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{struct.unpack('>Q', struct.pack('>d', value))[0]:x}"


def outcome(source: str) -> dict[str, Any]:
    """What we make of an expression, as the table writes it."""
    try:
        expression = compile_checked(source, ENVIRONMENT)
    except CelError as error:
        lines = [line for line in str(error).split("\n") if not line.startswith(" | ")]
        text = _PLACE.sub("", "\n".join(lines)).replace(EXPRESSION_STARTS, "EXPRESSION")
        return {"error": text.removeprefix(_WHOLE)}
    try:
        return {"value": shown(expression.evaluate(VARIABLES))}
    except CelError as error:
        return {"error": str(error)}


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def _expected(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("value", "error") if name in row}


def test_expressions_are_judged_as_upstream_judges_them() -> None:
    table = rows("expressions.jsonl")
    assert len(table) > 3_000
    wrong = [
        (row["expression"], found, _expected(row))
        for row in table
        if (found := outcome(row["expression"])) != _expected(row)
    ]
    assert not wrong, wrong[:5]


def test_the_known_differences_are_the_only_ones_told() -> None:
    table = rows("differences.jsonl")
    settled = [row["expression"] for row in table if outcome(row["expression"]) == _expected(row)]
    assert not settled, "no difference any more"
    reasons = Counter(row["reason"] for row in table)
    section = DOCS.read_text(encoding="utf-8").partition("## Expressions")[2]
    told = dict(re.findall(r"^\| ([^|]+?) \| (\d+) \|$", section, re.MULTILINE))
    assert told == {reason: str(count) for reason, count in reasons.items()}


def test_errors_show_the_line_and_the_place() -> None:
    cases = {
        "1 + 'a'": (
            "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n"
            " | 1 + 'a'\n | ..^"
        ),
        "[1,\n 'a']": "ERROR: <input>:2:2: expected type 'int' but found 'string'\n |  'a']\n | .^",
        "'日本' + nope": (
            "ERROR: <input>:1:8: undeclared reference to 'nope' (in container '')\n"
            " | '日本' + nope\n | .．．....^"
        ),
        "\tnope": "ERROR: <input>:1:2: undeclared reference to 'nope' (in container '')\n |  nope\n | .^",
        "": f"ERROR: <input>:1:0: Syntax error: mismatched input '<EOF>' expecting {EXPRESSION_STARTS}",
    }
    for source, text in cases.items():
        with pytest.raises(CelError) as told:
            compile_checked(source, ENVIRONMENT)
        assert str(told.value) == text
