"""Progress: plain lines in logs, colours and motion only on a terminal, never among the results."""

from __future__ import annotations

import io
import re
import sys

import pytest

from wherry.cli.terminal import Steps


class Terminal(io.StringIO):
    """A standard error somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_in_a_log_a_step_is_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Steps().step("Packing"):
        assert capsys.readouterr().err == ""
    done = capsys.readouterr()
    assert re.fullmatch(r"\* Packing \(\d+\.\d s\)\n", done.err)
    assert done.out == ""


def test_on_a_terminal_it_moves_and_ends_with_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Steps().step("Packing"):
        assert "✓" not in terminal.getvalue()
    assert re.search(r"\x1b\[32m✓\x1b\[0m Packing \(\d+\.\d s\)\n$", terminal.getvalue())


def test_nothing_is_shown_to_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    with Steps(show=False).step("Packing"):
        pass
    assert capsys.readouterr() == ("", "")


def test_a_step_that_failed_is_not_told_as_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="full"), Steps().step("Packing"):
        raise OSError("full")
    assert capsys.readouterr().err == ""
