"""A function named `is_...` or `has_...` answers a bool: true means yes, never a list of complaints."""

from __future__ import annotations

import ast
from pathlib import Path

import wherry

_ROOT = Path(wherry.__file__).parent
_ANSWERS = ("bool", "TypeGuard[", "TypeIs[")


def test_predicates_answer_a_bool() -> None:
    wrong = [
        f"{path.relative_to(_ROOT)}:{node.lineno} {node.name}"
        for path in _ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.lstrip("_").startswith(("is_", "has_"))
        and (node.returns is None or not ast.unparse(node.returns).startswith(_ANSWERS))
    ]
    assert not wrong
