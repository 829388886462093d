"""Regular expressions that users write: `compile_pattern`, in RE2's syntax and always in linear time.

Upstream's expressions are Go's, which are RE2's. Python's own would read a different language, and a
pattern such as `(a+)+$` could hold the whole server for hours over a text of forty letters. Only
patterns from within this project may use `re`. This is the only module that imports the library.
"""

from __future__ import annotations

import re
from typing import Any

from wherry.kit.integers import parse_unsigned
from wherry.kit.remembered import remembered

# The library's word for a mistake (a prefix of its text) and Go's, which clients see. Longer ones first.
_GO_WORDS = (
    ("missing argument to repetition operator", "missing argument to repetition operator"),
    ("no argument for repetition operator", "missing argument to repetition operator"),
    ("bad repetition operator", "invalid nested repetition operator"),
    ("invalid repetition size", "invalid repeat count"),
    ("invalid perl operator", "invalid or unsupported Perl syntax"),
    ("invalid named capture group", "invalid named capture"),
    ("invalid escape sequence", "invalid escape sequence"),
    ("invalid character class range", "invalid character class range"),
    ("invalid character class", "invalid character class"),
    ("missing ]", "missing closing ]"),
    ("missing )", "missing closing )"),
    ("unexpected )", "unexpected )"),
    ("invalid UTF-8", "invalid UTF-8"),
)
_ONE_BYTE = re.compile(r"(?:[^\\]|\\[^C])*+\\C", re.DOTALL)  # the library has it, Go has not
_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))", re.ASCII)
_TRAILING = "trailing backslash at end of expression: ``"


class PatternError(ValueError):
    """A pattern that cannot be read; the text is Go's (`error parsing regexp: ...`)."""


class Pattern:
    """A compiled pattern. Texts are searched in time linear in their length."""

    def __init__(self, text: str, compiled: Any) -> None:
        self.text = text
        self._compiled = compiled

    def is_in(self, text: str) -> bool:
        """Whether the pattern matches anywhere in `text`."""
        return self._compiled.search(text) is not None

    def first(self, text: str) -> str:
        """The first match, "" without one."""
        found = self._compiled.search(text)
        return "" if found is None else str(found[0])

    def replace(self, text: str, replacement: str) -> str:
        """`text` with every match replaced; `$1` and `${name}` are what groups matched, as Go has it."""

        def expand(found: Any) -> str:
            groups = found.groupdict()

            def group(name: re.Match[str]) -> str:
                wanted = name[1] or name[2]
                if name[0] == "$$":
                    return "$"
                number = parse_unsigned(wanted)
                if number is None:
                    return groups.get(wanted) or ""
                return (found[number] or "") if number <= found.re.groups else ""

            return _REFERENCE.sub(group, replacement)

        return str(self._compiled.sub(expand, text))

    def all(self, text: str, limit: int = -1) -> list[str]:
        """All matches that do not overlap, at most `limit` of them unless it is negative."""
        found: list[str] = []
        for match in self._compiled.finditer(text):
            if 0 <= limit <= len(found):
                break
            found.append(match[0])
        return found


@remembered(1024)
def compile_pattern(text: str) -> Pattern:
    """The pattern. Raises PatternError."""
    if "\\C" in text and _ONE_BYTE.match(text):
        raise PatternError("error parsing regexp: invalid escape sequence: `\\C`")
    import re2  # 2.5 MB; most servers never see a pattern

    options = re2.Options()
    options.log_errors = False
    try:
        return Pattern(text, re2.compile(text, options))
    except re2.error as error:
        raise PatternError(f"error parsing regexp: {_go_text(error, text)}") from error


def _go_text(error: Exception, pattern: str) -> str:
    told = error.args[0] if error.args else ""
    text = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    if text.startswith("trailing"):
        return _TRAILING
    for ours, theirs in _GO_WORDS:
        if text.startswith(f"{ours}: "):
            return f"{theirs}: `{text[len(ours) + 2 :]}`"
    return f"expression too large: `{pattern}`" if "too large" in text else f"{text}: `{pattern}`"
