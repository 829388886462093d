"""A template's text in pieces: plain text, and the tokens of each action.

Source: Go's text/template/parse/lex.go: delimiters, trim markers, comments, and what a token looks like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wherry.objects.gotemplate.errors import TemplateError

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>"(?:\\.|[^"\\\n])*")
    |(?P<raw>`[^`]*`)
    |(?P<char>'(?:\\[^\n]|[^'\\\n])[^'\n]*')
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))
    |(?P<declare>:=)|(?P<assign>=)|(?P<pipe>\|)|(?P<comma>,)|(?P<open>\()|(?P<close>\))
    |(?P<field>\.[^\W\d]\w*)
    |(?P<variable>\$\w*)
    |(?P<dot>\.)
    |(?P<word>[^\W\d]\w*)""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"\{\{(?P<left>- )?/\*.*?\*/(?P<right> -)?\}\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of an action; `spaced` tells that white space stands before it."""

    kind: str
    text: str
    line: int
    spaced: bool


@dataclass(frozen=True, slots=True)
class Action:
    """What stands between `{{` and `}}`."""

    tokens: tuple[Token, ...]
    line: int


def split(name: str, source: str) -> list[str | Action]:
    """The pieces of a template, in order. Raises TemplateError."""
    pieces: list[str | Action] = []
    at, line, trims = 0, 1, False
    while True:
        begin = source.find("{{", at)
        text = source[at:] if begin < 0 else source[at:begin]
        shown = text.lstrip() if trims else text
        if begin < 0:
            if shown:
                pieces.append(shown)
            return pieces
        line += text.count("\n")
        comment = _COMMENT.match(source, begin)
        trims_left = bool(comment["left"]) if comment else _trims_left(source, begin)
        shown = shown.rstrip() if trims_left else shown
        if shown:
            pieces.append(shown)
        if comment:
            trims = bool(comment["right"])
            at = comment.end()
        else:
            action, at, trims = _action(name, source, begin + (4 if trims_left else 2), line)
            pieces.append(action)
        line += source.count("\n", begin, at)


def _trims_left(source: str, begin: int) -> bool:
    return source.startswith("-", begin + 2) and source[begin + 3 : begin + 4].isspace()


def _action(name: str, source: str, at: int, line: int) -> tuple[Action, int, bool]:
    """The action that begins at `at`, where its text ends, and whether it trims what follows."""
    tokens: list[Token] = []
    first, spaced = line, False
    while True:
        if source.startswith("}}", at):
            return Action(tuple(tokens), first), at + 2, False
        if spaced and source.startswith("-}}", at):
            return Action(tuple(tokens), first), at + 3, True
        found = _TOKEN.match(source, at)
        if found is None or found.lastgroup is None:
            rest = source[at : at + 20].partition("\n")[0]
            said = f"unexpected {rest!r} in action" if rest else "unclosed action"
            raise TemplateError(f"template: {name}:{line}: {said}")
        at = found.end()
        text = found[0]
        if found.lastgroup != "space":
            tokens.append(Token(found.lastgroup, text, line, spaced))
        spaced = found.lastgroup == "space"
        line += text.count("\n")
