"""Tokens of CEL, as far as rewriting needs them."""

from __future__ import annotations

import re
from typing import NamedTuple

from wherry.kit.remembered import remembered

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>(?:[rR][bB]?|[bB][rR]?)?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''
        |\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*|`[A-Za-z0-9_./ -]+`)
    |(?P<sign>\.\?|\[\?|&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
SIZE_LIMIT = 100_000
"""Code points of an expression; upstream's limit."""
DEPTH_LIMIT = 250
"""How deep brackets may stand in one another: upstream's limit (the library's parser may stop before)."""
TOKENS_LIMIT = 10_000
CHAIN_LIMIT = 2_000
"""Fields, indices and sums in one chain: the library's parser takes a step on the stack for each."""
_LINKS = frozenset({".", ".?", "+", "-", "*", "/", "%"})
_BETWEEN = frozenset({",", "&&", "||", "?", ":"})
CLOSING = {"(": ")", "[": "]", "[?": "]", "{": "}"}


class TokenError(ValueError):
    """Text that is no CEL."""


class Token(NamedTuple):
    """One token: its kind (space, string, number, name, sign), its text and where it stands."""

    kind: str
    text: str
    at: int


def tokens_of(source: str) -> list[Token]:
    """All tokens, spaces too. Raises TokenError."""
    return list(_tokens_of(source))


@remembered(64)
def _tokens_of(source: str) -> tuple[Token, ...]:
    """The same: whoever compiles an expression looks at its tokens several times."""
    found: list[Token] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None or match.lastgroup is None:
            raise TokenError(syntax_error(source, at, f"token recognition error at: '{source[at]}'"))
        found.append(Token(match.lastgroup, match[0], at))
        at = match.end()
    return tuple(found)


def syntax_error(source: str, at: int, what: str) -> str:
    """An error as CEL's compilers show it: line, column, the line and a mark below it."""
    start = source.rfind("\n", 0, at) + 1
    line = source[start:].split("\n", 1)[0]
    number = source.count("\n", 0, at) + 1
    return f"ERROR: <input>:{number}:{at - start + 1}: {what}\n | {line}\n | {'.' * (at - start)}^"


def closing(tokens: list[Token], at: int) -> int:
    """The index of the token that closes the bracket at `at`. Raises TokenError."""
    waiting: list[str] = []
    for index in range(at, len(tokens)):
        text = tokens[index].text if tokens[index].kind == "sign" else ""
        if text in CLOSING:
            waiting.append(CLOSING[text])
        elif waiting and text == waiting[-1]:
            waiting.pop()
            if not waiting:
                return index
    raise TokenError("ERROR: <input>: Syntax error: missing closing bracket")


def arguments(tokens: list[Token], start: int, end: int) -> list[list[Token]]:
    """The tokens of each argument between the brackets at `start` and `end`."""
    parts: list[list[Token]] = [[]]
    index = start + 1
    while index < end:
        token = tokens[index]
        if token.kind == "sign" and token.text in CLOSING:
            stop = closing(tokens, index)
            parts[-1].extend(tokens[index : stop + 1])
            index = stop
        elif token.kind == "sign" and token.text == ",":
            parts.append([])
        else:
            parts[-1].append(token)
        index += 1
    return parts


def check_limits(source: str) -> list[Token]:
    """The tokens of an expression that is small and flat enough to be compiled. Raises TokenError."""
    if len(source) > SIZE_LIMIT:
        what = f"expression code point size exceeds limit: size: {len(source)}, limit {SIZE_LIMIT}"
        raise TokenError(f"ERROR: <input>:-1:0: {what}")
    tokens = tokens_of(source)
    if len(tokens) > TOKENS_LIMIT:
        raise TokenError(f"ERROR: <input>:-1:0: expression has too many parts: limit {TOKENS_LIMIT}")
    links = [0]  # of the chain being read, in each of the brackets it stands in
    for token in tokens:
        if token.kind != "sign":
            continue
        if token.text in CLOSING:
            links[-1] += 1
            links.append(0)
        elif token.text in CLOSING.values():
            links = links[:-1] or [0]
        elif token.text in _BETWEEN:
            links[-1] = 0
        elif token.text in _LINKS:
            links[-1] += 1
        if len(links) > DEPTH_LIMIT or links[-1] > CHAIN_LIMIT:
            raise TokenError("ERROR: <input>:-1:0: expression recursion limit exceeded")
    return tokens
