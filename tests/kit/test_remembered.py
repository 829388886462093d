from __future__ import annotations

import ast
from pathlib import Path

import wherry
from wherry.kit.remembered import LONGEST, Recent, remembered


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


def test_servers_keep_no_texts_by_their_number() -> None:
    """Texts in requests are as long as whoever sends them likes: `remembered` and `Recent` count bytes."""
    root = Path(wherry.__file__).parent
    wrong = [
        f"{path.relative_to(root)}:{node.lineno}"
        for part in ("apiserver", "kit")
        for path in (root / part).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(one).partition("(")[0] in ("cache", "lru_cache") for one in node.decorator_list)
        and any(arg.annotation and ast.unparse(arg.annotation) in ("str", "bytes") for arg in node.args.args)
    ]
    assert not wrong


def test_recent_values_are_kept_by_their_bytes() -> None:
    recent = Recent[str, int](100)
    for number in range(50):
        recent.put(str(number), number, 10)
    assert [recent.get(str(number)) for number in (39, 40, 49)] == [None, 40, 49]
    assert recent.bytes == 100
    recent.put("49", 5, 95)
    assert (recent.get("48"), recent.get("49"), recent.bytes) == (None, 5, 95)
    recent.put("all", 1, 101)
    assert (recent.get("all"), recent.get("49")) == (None, 5)
    recent.forget("49")
    recent.forget("none")
    assert recent.bytes == 0
    recent.put("again", 1, 10)
    recent.clear()
    assert (len(recent), recent.bytes) == (0, 0)
