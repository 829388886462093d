"""Log lines say which module they come from, also where it runs as a program."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

import wherry
from wherry.kit.log import module_name

SOURCES = sorted(Path(wherry.__file__).parent.rglob("*.py"))
PROGRAMS = [path for path in SOURCES if 'if __name__ == "__main__"' in path.read_text()]


def test_a_program_is_called_after_its_module() -> None:
    assert __spec__ is not None
    assert module_name("__main__", __spec__) == __name__
    assert module_name("x", None) == "x"


@pytest.mark.parametrize("path", PROGRAMS, ids=str)
def test_programs_name_their_logger_after_the_module(path: Path) -> None:
    assert "getLogger(__name__)" not in path.read_text()


def test_loggers_are_called_after_modules() -> None:
    literal = re.compile(r"getLogger\(\"(\w+)\"\)")
    named = {name for path in SOURCES for name in literal.findall(path.read_text())}
    assert named <= {"cel"}, "a library's, which is told to be quiet"
    assert logging.getLogger(__name__).name == "tests.kit.test_log"
