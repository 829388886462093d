from __future__ import annotations

import ast
from pathlib import Path

import wherry
from wherry.kit.remembered import LONGEST, remembered


def test_short_texts_are_worked_out_once_and_long_ones_never_kept() -> None:
    asked: list[str] = []

    @remembered(2)
    def size(text: str, times: int) -> int:
        asked.append(text)
        return len(text) * times

    long = "x" * (LONGEST + 1)
    assert [size("ab", 2), size("ab", 2), size("ab", 3), size(long, 1), size(long, 1)] == [
        *(4, 4, 6),
        *(LONGEST + 1, LONGEST + 1),
    ]
    assert asked == ["ab", "ab", long, long]


def test_what_judges_texts_of_clients_keeps_no_long_ones() -> None:
    """In `api` and `objects` a bounded `lru_cache` would hold as many megabytes as it has entries."""
    root = Path(wherry.__file__).parent
    wrong = [
        f"{path.relative_to(root)}:{node.lineno}"
        for part in ("api", "objects")
        for path in (root / part).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "lru_cache"
        and ast.unparse(node.args[0]) not in ("None", "1")
    ]
    assert not wrong
