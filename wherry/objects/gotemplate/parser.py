"""Reading a template into its tree. Source: Go's text/template/parse/parse.go."""

from __future__ import annotations

import json
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from wherry.objects.gotemplate.errors import TemplateError
from wherry.objects.gotemplate.lexer import Action, Token, split
from wherry.objects.gotemplate.tree import (
    Branch,
    Call,
    Command,
    Dot,
    Function,
    Jump,
    Literal,
    Node,
    Operand,
    Path,
    Pipeline,
    Shown,
    Text,
    Variable,
)

_CONSTANTS = {"true": True, "false": False, "nil": None}
_BRANCHES = ("if", "with", "range")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[0-7]{3}|U[0-9a-fA-F]{8}|a|v|')")


@dataclass(slots=True)
class _Open:
    """A block whose `end` was not seen yet, and where nodes go meanwhile."""

    kind: str
    line: int
    into: list[Node]
    branch: Branch | None = None
    depth: int = 0
    chained: bool = False
    """An `else if`: it ends together with the block around it."""


def parse(name: str, source: str, functions: Container[str]) -> dict[str, list[Node]]:
    """The trees of a template and of those it defines, by name; its own is "". Raises TemplateError."""
    return _Parser(name, functions).parse(split(name, source))


class _Parser:
    def __init__(self, name: str, functions: Container[str]) -> None:
        self._name = name
        self._functions = functions
        self._trees: dict[str, list[Node]] = {"": []}
        self._open = [_Open("", 1, self._trees[""])]
        self._variables = ["$"]

    def parse(self, pieces: list[str | Action]) -> dict[str, list[Node]]:
        for piece in pieces:
            if isinstance(piece, str):
                self._open[-1].into.append(Text(piece))
            else:
                self._take(piece)
        if len(self._open) > 1:
            block = self._open[-1]
            raise self._error(block.line, f"{{{{{block.kind}}}}} has no {{{{end}}}}")
        return self._trees

    def _error(self, line: int, said: str) -> TemplateError:
        return TemplateError(f"template: {self._name}:{line}: {said}")

    def _take(self, action: Action) -> None:
        if not action.tokens:
            raise self._error(action.line, "missing value for command")
        first = action.tokens[0]
        word = first.text if first.kind == "word" else ""
        reader = _Tokens(self, action, 1 if word in _WORDS else 0)
        if word in _BRANCHES:
            self._begin(word, reader)
        elif word == "else":
            self._turn(reader)
        elif word == "end":
            self._end(reader)
        elif word in ("define", "block"):
            self._define(word, reader)
        elif word == "template":
            name = reader.quoted("template")
            pipeline = None if reader.is_done else self._pipeline(reader)
            self._open[-1].into.append(Call(name, pipeline, action.line))
        elif word in ("break", "continue"):
            if not any(block.kind == "range" for block in self._open):
                raise self._error(action.line, f"{{{{{word}}}}} outside {{{{range}}}}")
            self._open[-1].into.append(Jump(word))
        else:
            self._open[-1].into.append(Shown(self._pipeline(reader)))
        reader.expect_done()

    def _begin(self, kind: str, reader: _Tokens, *, chained: bool = False) -> None:
        depth = len(self._variables)
        branch = Branch(kind, self._pipeline(reader, most=2 if kind == "range" else 1))
        self._open[-1].into.append(branch)
        self._open.append(_Open(kind, reader.line, branch.body, branch, depth, chained))

    def _turn(self, reader: _Tokens) -> None:
        block = self._open[-1]
        if block.branch is None or block.into is not block.branch.body:
            raise self._error(reader.line, "unexpected {{else}}")
        block.into = block.branch.otherwise
        word = reader.peek()
        if word is not None and word.text in ("if", "with"):
            reader.next()
            self._begin(word.text, reader, chained=True)

    def _end(self, reader: _Tokens) -> None:
        while True:
            if len(self._open) == 1:
                raise self._error(reader.line, "unexpected {{end}}")
            block = self._open.pop()
            if block.branch is not None:
                del self._variables[block.depth :]
            if not block.chained:
                break

    def _define(self, kind: str, reader: _Tokens) -> None:
        name = reader.quoted(kind)
        if kind == "block":
            self._open[-1].into.append(Call(name, self._pipeline(reader), reader.line))
        body: list[Node] = []
        self._trees[name] = body
        self._open.append(_Open(kind, reader.line, body))

    def _pipeline(self, reader: _Tokens, *, most: int = 1, closes: bool = False) -> Pipeline:
        line = reader.line
        names, declares = self._setting(reader, most)
        commands: list[Command] = []
        while True:
            commands.append(self._command(reader))
            token = reader.peek()
            if token is None or (closes and token.kind == "close"):
                break
            if token.kind != "pipe":
                raise self._error(token.line, f"unexpected {token.text!r} in command")
            reader.next()
        if declares:
            self._variables += names
        return Pipeline(tuple(commands), tuple(names), declares, line)

    def _setting(self, reader: _Tokens, most: int) -> tuple[list[str], bool]:
        """`$x :=`, `$x =` or `$i, $x :=` at the beginning of a pipeline."""
        names: list[str] = []
        start = reader.at
        while (token := reader.peek()) is not None and token.kind == "variable":
            names.append(token.text)
            reader.next()
            following = reader.peek()
            if following is not None and following.kind == "comma" and len(names) < most:
                reader.next()
                continue
            if following is None or following.kind not in ("declare", "assign"):
                break
            reader.next()
            if following.kind == "assign":
                for name in names:
                    self._known(name, token.line)
            return names, following.kind == "declare"
        reader.at = start
        return [], False

    def _command(self, reader: _Tokens) -> Command:
        operands: list[Operand] = []
        line = reader.line
        while (token := reader.peek()) is not None and token.kind not in ("pipe", "close"):
            operands.append(self._operand(reader))
        if not operands:
            raise self._error(line, "missing value for command")
        return Command(tuple(operands), line)

    def _operand(self, reader: _Tokens) -> Operand:
        token = reader.next()
        fields: list[str] = []
        if token.kind == "field":
            base: Operand = Dot()
            fields.append(token.text[1:])
        else:
            base = self._term(token, reader)
        while (more := reader.peek()) is not None and more.kind == "field" and not more.spaced:
            fields.append(reader.next().text[1:])
        return Path(base, tuple(fields), token.line) if fields else base

    def _term(self, token: Token, reader: _Tokens) -> Operand:
        text = token.text
        if token.kind == "open":
            inner = self._pipeline(reader, closes=True)
            if reader.is_done:
                raise self._error(token.line, "unclosed left paren")
            reader.next()
            return inner
        if token.kind == "dot":
            return Dot()
        if token.kind == "variable":
            self._known(text, token.line)
            return Variable(text, token.line)
        if token.kind == "word":
            if text in _CONSTANTS:
                return Literal(_CONSTANTS[text])
            if text not in self._functions:
                raise self._error(token.line, f'function "{text}" not defined')
            return Function(text, token.line)
        if token.kind in _LITERALS:
            try:
                return Literal(_LITERALS[token.kind](text))
            except ValueError:
                pass
        raise self._error(token.line, f"unexpected {text!r} in operand")

    def _known(self, name: str, line: int) -> None:
        if name not in self._variables:
            raise self._error(line, f'undefined variable "{name}"')


_WORDS = (*_BRANCHES, "else", "end", "define", "block", "template", "break", "continue")


class _Tokens:
    """An action being read."""

    def __init__(self, parser: _Parser, action: Action, at: int) -> None:
        self._parser = parser
        self._tokens = action.tokens
        self._line = action.line
        self.at = at

    @property
    def is_done(self) -> bool:
        return self.at >= len(self._tokens)

    @property
    def line(self) -> int:
        return self._tokens[self.at].line if not self.is_done else self._line

    def peek(self) -> Token | None:
        return None if self.is_done else self._tokens[self.at]

    def next(self) -> Token:
        if self.is_done:
            raise self._parser._error(self._line, "unexpected end of action")
        self.at += 1
        return self._tokens[self.at - 1]

    def quoted(self, clause: str) -> str:
        """A template's name."""
        token = self.next()
        if token.kind not in ("string", "raw"):
            raise self._parser._error(token.line, f"unexpected {token.text!r} in {clause} clause")
        name: str = _LITERALS[token.kind](token.text)
        return name

    def expect_done(self) -> None:
        """Raises TemplateError when something is left."""
        token = self.peek()
        if token is not None:
            raise self._parser._error(token.line, f"unexpected {token.text!r} in action")


def _string(text: str) -> str:
    """Go's quoted string; what Go writes otherwise than JSON is put into JSON's words first."""
    value: str = json.loads(_ESCAPE.sub(_escaped, text))
    return value


def _escaped(found: re.Match[str]) -> str:
    code = found[1]
    known = {"a": "\\u0007", "v": "\\u000b", "'": "'"}.get(code)
    if known is not None:
        return known
    number = int(code[1:], 16) if code[0] in "xU" else int(code, 8)
    return json.dumps(chr(number))[1:-1]


def _number(text: str) -> int | float:
    plain = text.replace("_", "")
    try:
        return int(plain, 0)
    except ValueError:
        pass
    digits = plain.lstrip("+-")
    if digits.isdigit():  # 017: octal to Go
        return int(plain, 8)
    return float(plain)


def _char(text: str) -> int:
    body = text[1:-1]
    value = _string('"' + body.replace('"', '\\"') + '"') if body != '"' else body
    if len(value) != 1:
        raise ValueError(text)
    return ord(value)


_LITERALS: dict[str, Any] = {
    "string": _string,
    "raw": lambda text: text[1:-1],
    "number": _number,
    "char": _char,
}
