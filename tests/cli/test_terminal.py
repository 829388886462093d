"""Progress: plain lines in logs, colours and motion only on a terminal, never among the results."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wherry.cli.terminal import Steps, complain, plain, say


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


def test_a_reader_that_has_gone_stops_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; from wherry.cli.terminal import Steps, complain, print_json, say\n"
        "sys.stdin.read()\n"
        "with Steps().step('x'): pass\n"
        "complain('x')\n"
        "heard = [say('x'), print_json({})]\n"
        f"open({str(tmp_path / 'done')!r}, 'w').write(str(heard))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdin is not None
    for stream in (child.stdout, child.stderr):
        assert stream is not None
        stream.close()
    child.stdin.close()
    assert child.wait(60) == 0
    assert (tmp_path / "done").read_text() == "[False, True]", "told once; then it leads nowhere"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("app:1\nnext\tcell ü", "app:1\nnext\tcell ü"),
        ("\x1b[2Jx", "\\x1b[2Jx"),
        ("a\rb\x9b\u202e", "a\\rb\\x9b\\u202e"),
    ],
)
def test_nothing_printed_steers_the_terminal(
    text: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plain(text) == shown
    say(text)
    complain(text)
    assert capsys.readouterr() == (f"{shown}\n", f"wherry: {shown}\n")
