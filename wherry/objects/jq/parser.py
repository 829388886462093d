"""Reading and running an expression: `compile_jq`."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from wherry.kit.remembered import remembered
from wherry.objects.jq.filters import (
    CONSTANTS,
    PLAIN,
    TAKING,
    Filter,
    NoFit,
    applied,
    both,
    collected,
    compared,
    constant,
    each,
    everything,
    field,
    forgiving,
    indexed,
    logic,
    otherwise,
    piped,
    same,
)

LONGEST = 4096
DEEPEST = 50

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>"(?:\\.|[^"\\])*")
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<field>\.[A-Za-z_]\w*)
    |(?P<word>[A-Za-z_]\w*)
    |(?P<sign>\.\.|//|==|!=|<=|>=|[.\[\]()|,<>?:;{}$=+*/%-])
    )""",
    re.VERBOSE,
)
_ORDER = {"<": 0, "<=": 0, ">": 0, ">=": 0, "==": 0, "!=": 0}


class JqError(ValueError):
    """An expression that cannot be read; the message has the expression and what is wrong in it."""


class _Token(NamedTuple):
    kind: str
    text: str


class Jq:
    """A compiled expression."""

    __slots__ = ("_filter", "text")

    def __init__(self, text: str, compiled: Filter) -> None:
        self.text = text
        self._filter = compiled

    def find(self, value: Any) -> list[Any]:
        """All the expression gives for `value` but nulls; nothing where it does not fit the value."""
        try:
            return [found for found in self._filter(value) if found is not None]
        except NoFit:
            return []


@remembered(500)
def compile_jq(text: str) -> Jq:
    """Compile an expression. Raises JqError."""
    if len(text) > LONGEST:
        raise JqError(f"jq expression of {len(text)} characters: at most {LONGEST} are allowed")
    return Jq(text, _Parser(text).parse())


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    end = len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise JqError(f"jq expression {text!r}: unexpected {text[at : at + 10].strip()!r}")
        tokens.append(_Token(found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


class _Parser:
    """Recursive descent: pipe, comma, alternative, or, and, comparison, postfix."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def parse(self) -> Filter:
        found = self._pipe()
        if self._at < len(self._tokens):
            raise self._unexpected()
        return found

    def _peek(self) -> str:
        return self._tokens[self._at].text if self._at < len(self._tokens) else ""

    def _kind(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else ""

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise self._unexpected()
        self._at += 1
        return self._tokens[self._at - 1]

    def _accept(self, text: str) -> bool:
        if self._peek() == text and self._kind() != "string":
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected(f", expected {text!r}")

    def _unexpected(self, more: str = "") -> JqError:
        found = repr(self._peek()) if self._at < len(self._tokens) else "end"
        return JqError(f"jq expression {self._text!r}: unexpected {found}{more}")

    def _pipe(self) -> Filter:
        self._depth += 1
        if self._depth > DEEPEST:
            raise JqError(f"jq expression {self._text[:64]!r}: nested more than {DEEPEST} levels")
        found = self._comma()
        while self._accept("|"):
            found = piped(found, self._comma())
        self._depth -= 1
        return found

    def _comma(self) -> Filter:
        found = self._alternative()
        while self._accept(","):
            found = both(found, self._alternative())
        return found

    def _alternative(self) -> Filter:
        found = self._or()
        return otherwise(found, self._alternative()) if self._accept("//") else found

    def _or(self) -> Filter:
        found = self._and()
        while self._accept("or"):
            found = logic(found, self._and(), decided_by=True)
        return found

    def _and(self) -> Filter:
        found = self._comparison()
        while self._accept("and"):
            found = logic(found, self._comparison(), decided_by=False)
        return found

    def _comparison(self) -> Filter:
        found = self._postfix()
        if self._kind() == "sign" and self._peek() in _ORDER:
            return compared(found, self._next().text, self._postfix())
        return found

    def _postfix(self) -> Filter:
        found = self._term()
        while True:
            if self._kind() == "field":
                found = piped(found, field(self._next().text[1:]))
            elif self._kind() == "sign" and self._peek() == "." and self._follows_dot():
                self._at += 1
                if self._kind() == "string":
                    found = piped(found, field(_string(self._next().text)))
            elif self._accept("["):
                found = self._bracket(found)
            elif self._accept("?"):
                found = forgiving(found)
            else:
                return found

    def _follows_dot(self) -> bool:
        following = self._tokens[self._at + 1 : self._at + 2]
        return bool(following) and (following[0].kind == "string" or following[0].text == "[")

    def _bracket(self, base: Filter) -> Filter:
        if self._accept("]"):
            return piped(base, each)
        index = self._pipe()
        self._expect("]")
        return indexed(base, index)

    def _term(self) -> Filter:
        token = self._next()
        if token.kind == "field":
            return field(token.text[1:])
        if token.kind == "string":
            return constant(_string(token.text))
        if token.kind == "number":
            return constant(float(token.text) if any(c in token.text for c in ".eE") else int(token.text))
        if token.kind == "word":
            return self._word(token.text)
        if token.text == ".":
            if self._kind() == "string":
                return field(_string(self._next().text))
            return same
        if token.text == "..":
            return everything
        if token.text == "(":
            found = self._pipe()
            self._expect(")")
            return found
        if token.text == "[":
            if self._accept("]"):
                return constant([])
            found = self._pipe()
            self._expect("]")
            return collected(found)
        self._at -= 1
        raise self._unexpected()

    def _word(self, word: str) -> Filter:
        if word in CONSTANTS:
            return constant(CONSTANTS[word])
        if word in PLAIN and self._peek() != "(":
            return applied(PLAIN[word])
        if word in TAKING and self._accept("("):
            argument = self._pipe()
            self._expect(")")
            return TAKING[word](argument)
        known = ", ".join(sorted({*PLAIN, *TAKING}))
        raise JqError(f"jq expression {self._text!r}: {word!r} is not supported; known: {known}")


def _string(text: str) -> str:
    try:
        value: str = json.loads(text)
    except ValueError as error:
        raise JqError(f"jq text {text}: {error}") from error
    return value
