"""The selecting part of jq: what jq itself gives, without nulls; nothing where an expression does not fit."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from wherry.objects.jq import JqError, compile_jq

POD: dict[str, Any] = {
    "metadata": {
        "annotations": {"a/b": "1s"},
        "ownerReferences": [{"kind": "Job"}],
        "labels": {"x-y": "1"},
    },
    "spec": {"priority": 5, "containers": [{"name": "a"}, {"name": "b"}]},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
}

EXPRESSIONS = [
    (".", [POD]),
    ('.status.conditions.[] | select( .type == "Ready" ) | .status', ["True"]),
    ('.status.conditions[] | select(.type == "Nope") | .status', []),
    (".metadata.ownerReferences.[].kind", ["Job"]),
    ('.metadata.annotations["a/b"]', ["1s"]),
    ('.metadata.annotations."a/b"', ["1s"]),
    ('.metadata["labels"]["x-y"]', ["1"]),
    ('.metadata.annotations["c"] // "x"', ["x"]),
    (".nope.x", []),
    (".nope[]?", []),
    (".spec.containers[-1].name, .spec.containers[0].name", ["b", "a"]),
    ("[.status.conditions[] | .type] | length", [2]),
    ('.status.conditions | any(.type == "Ready" and .status == "True")', [True]),
    ('.status.conditions | map(select(.status == "True")) | first | .type', ["Ready"]),
    ('.status | has("conditions") and (has("phase") | not)', [True]),
    (".spec.priority >= 5", [True]),
    (".spec.priority < 5 or false", [False]),
    ('.metadata.annotations["a/b"] | startswith("1")', [True]),
    ('.metadata.annotations["a/b"] | test("^[0-9]+s$")', [True]),
    ('.spec.containers | map(.name) | join("-")', ["a-b"]),
    ("..|.kind?", ["Job"]),
    ('"a" == "a"', [True]),
]


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS)
def test_finds_what_jq_finds(expression: str, expected: list[Any]) -> None:
    assert compile_jq(expression).find(POD) == expected


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("expression", [text for text, _ in EXPRESSIONS])
def test_finds_what_the_jq_of_this_machine_finds(expression: str) -> None:
    older = re.sub(r"(?<=\w)\.\[", "[", expression)  # `.a.[]` is read from jq 1.7 on
    done = subprocess.run(
        ["jq", "-c", older], input=json.dumps(POD), capture_output=True, text=True, check=True
    )
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    assert compile_jq(expression).find(POD) == [value for value in theirs if value is not None]


@pytest.mark.parametrize("expression", [".status.conditions.[].x.y[]", ".spec.priority[]", ".metadata[0]"])
def test_an_expression_that_does_not_fit_finds_nothing(expression: str) -> None:
    assert compile_jq(expression).find(POD) == []


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (".a | reduce", "'reduce' is not supported; known: add, all, any"),
        (".a =", "unexpected '='"),
        (".a[", "unexpected end"),
        ("select(.a", "unexpected end, expected ')'"),
        (".a | ^", "unexpected '^'"),
        ("", "unexpected end"),
        ("(" * 60 + "." + ")" * 60, "nested more than 50 levels"),
        ("." * 5000, "5000 characters"),
    ],
)
def test_an_expression_that_cannot_be_read_says_why(expression: str, said: str) -> None:
    with pytest.raises(JqError) as caught:
        compile_jq(expression)
    assert said in str(caught.value)
