"""Long texts that readers of texts stumble over: runs, near matches, brackets and quotes that never close."""

from __future__ import annotations

from typing import TypeAlias

_REPEATED = (
    *("1", "0", "a", "A", ".", "-", "_", " ", "\n", "\t", "/", "\\", ":", ",", "=", "%", "'", '"', "`", "#"),
    *("(", ")", "[", "]", "{", "}", "<", "$", "$(", "${", "$$", "@", "*", "!", "~", "+", "é", "😀", "\x00"),
    *(
        "a.",
        ".a",
        "a-",
        "a/",
        "/a",
        "a,",
        "a=",
        "a=b,",
        "a:",
        "1.",
        "1:",
        "1,",
        "1-",
        "1e",
        "1h",
        "0 ",
        "a in (",
        "..",
    ),
    *(
        "[0]",
        "['a']",
        "[?(@.a==1)]",
        "%41",
        "a@",
        "::",
        "1.1.",
        "/..",
        "\\.",
        "()",
        "e",
        "Ei",
        "+1",
        "-1",
        "1 ",
        "a b",
    ),
)
_ENDS = ("", "!", "x", "1")

Shape: TypeAlias = tuple[str, str]
"""What is repeated, and what stands at the end."""

FEW_SHAPES: tuple[Shape, ...] = (
    *(("1", "x"), ("a", "!"), (".a", "!"), ("a-", "!"), (" ", "x"), ("$(", "")),
    *(("[", "]"), ('"', ""), ("/", ""), ("a:", ""), (",", "1")),
)
"""Those that found most."""

SHAPES: tuple[Shape, ...] = tuple(
    (part, end) for part in _REPEATED for end in _ENDS[: 4 if len(part) == 1 else 2]
)


def long_text(shape: tuple[str, str], size: int) -> str:
    """A text of `size` characters, not counting the end."""
    part, end = shape
    return (part * (size // len(part) + 1))[:size] + end
