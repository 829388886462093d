"""What a thread opens for a task that is gone is closed again, and nothing in Wherry opens otherwise."""

from __future__ import annotations

import ast
import asyncio
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

import wherry
from tests.timing import PATIENCE_S
from wherry.kit.opening import opened

ROOT = Path(wherry.__file__).parent
IN_THREADS = {"to_thread", "run_in_executor"}
EXCEPT = {
    "kit/opening.py": "it is how one opens",
    "testing/cluster.py": "what it opens is a cluster, and who is cancelled closes it",
}
OPENS = ("open", "dup", "socket", "mkstemp", "fdopen", "memfd")


async def test_what_is_opened_is_handed_over(tmp_path: Path) -> None:
    with await opened(lambda: (tmp_path / "a").open("wb")) as file:
        file.write(b"x")
    with pytest.raises(FileNotFoundError):
        await opened(lambda: (tmp_path / "none").open("rb"))


async def test_who_is_cancelled_meanwhile_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    begun, may_open, made = threading.Event(), threading.Event(), list[BinaryIO]()

    def work() -> BinaryIO:
        begun.set()
        assert may_open.wait(PATIENCE_S)
        made.append((tmp_path / "a").open("rb"))
        return made[0]

    task = asyncio.create_task(opened(work))
    await asyncio.to_thread(begun.wait, PATIENCE_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_open.set()
    async with asyncio.timeout(PATIENCE_S):
        while not (made and made[0].closed):
            await asyncio.to_thread(lambda: None)


def test_nothing_else_opens_in_a_thread() -> None:
    """`to_thread(open_below, ...)` hands a bare descriptor to a task that may be gone."""
    assert [place for path in sorted(ROOT.rglob("*.py")) for place in openings_in(path)] == []


def openings_in(path: Path) -> list[str]:
    text = path.read_text()
    if path.relative_to(ROOT).as_posix() in EXCEPT or not any(
        word in text for word in (*IN_THREADS, ".run(")
    ):
        return []
    calls = [call for call in ast.walk(ast.parse(text)) if isinstance(call, ast.Call)]
    return [
        f"{path}:{call.lineno}"
        for call in calls
        if is_in_thread(call.func) and any(map(is_opening, call.args))
    ]


def is_in_thread(called: ast.expr) -> bool:
    if not isinstance(called, ast.Attribute):
        return False
    return called.attr in IN_THREADS or (
        called.attr == "run"
        and ast.unparse(called.value).rpartition(".")[2].lstrip("_") in ("disk", "threads")
    )


def is_opening(argument: ast.expr) -> bool:
    """Whether a function that is handed over is one that opens: by its name, which says so everywhere."""
    if isinstance(argument, ast.Call) and ast.unparse(argument.func) == "partial":
        return is_opening(argument.args[0])
    if isinstance(argument, ast.Lambda) and isinstance(argument.body, ast.Call):
        return is_opening(argument.body.func)
    name = ast.unparse(argument).rpartition(".")[2].lstrip("_")
    return isinstance(argument, ast.Name | ast.Attribute) and name.startswith(OPENS)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("asyncio.to_thread(open_below, a)", True),
        ("self._disk.run('x', partial(os.open, a), 3)", True),
        ("asyncio.to_thread(lambda: path.open())", True),
        ("asyncio.to_thread(read_all, a)", False),
        ("opened(open_below)", False),
    ],
)
def test_what_is_seen(text: str, is_one: bool) -> None:
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    assert (is_in_thread(call.func) and any(map(is_opening, call.args))) is is_one
