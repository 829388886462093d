"""Fixtures and options every test may use."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.timing import PATIENCE_S
from wherry.kit.memory import collect_seldom

# As in the Makefile, for whoever calls pytest alone: without compiled files every process (its workers, each
# command a test starts) compiles all it imports and rewrites all tests anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` rewrites the files that rendered output is compared with."""
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files")


def pytest_configure() -> None:
    """The garbage collector does as it does in every program of ours: how long things take hangs on it."""
    collect_seldom()


def pytest_collection_finish() -> None:
    """What collecting leaves stays to the end: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


Golden = Callable[[Path, str], None]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare text with a golden file, or rewrite the file with `--update-golden`."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert text == path.read_text(), f"{path.name} differs; --update-golden if that is wanted"

    return compare


async def eventually(check: Callable[[], Awaitable[bool] | bool], timeout_s: float = PATIENCE_S) -> None:
    """Return once `check` holds. Raises AssertionError after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = check()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s")
        await asyncio.sleep(0.02)
