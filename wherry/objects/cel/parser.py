"""Read an expression into its tree: `parse`. Source: the CEL language's grammar; errors as cel-go's.

Macros are known here by their names and numbers of arguments, as upstream's parser knows them.
"""

from __future__ import annotations

import math

from wherry.objects.cel.errors import CelError
from wherry.objects.cel.lexer import Word, words_of
from wherry.objects.cel.literals import bytes_literal, text_literal
from wherry.objects.cel.nodes import (
    Call,
    Const,
    Loop,
    MakeList,
    MakeMap,
    MakeObject,
    Name,
    Node,
    Select,
    below,
)
from wherry.objects.cel.source import all_located, located
from wherry.objects.cel.values import MAX_INT, MAX_UINT, MIN_INT, UInt

SIZE_LIMIT = 100_000
"""Code points of an expression; upstream's limit."""
DEPTH_LIMIT = 250
"""How deep expressions may stand in one another; upstream's limit."""
WORDS_LIMIT = 10_000
TOO_DEEP = f"expression recursion limit exceeded: {DEPTH_LIMIT}"

_RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_FUNCTIONS = {
    sign: f"_{sign}_" for sign in ["||", "&&", "<", "<=", ">=", ">", "==", "!=", "+", "-", "*", "/", "%"]
} | {"in": "@in"}
_LOGIC = 2
_LEVELS = {
    "||": 1, "&&": _LOGIC, **dict.fromkeys(["<", "<=", ">=", ">", "==", "!=", "in"], 3),
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5,
}  # fmt: skip
_ONE_NAME = {("all", 2), ("exists", 2), ("exists_one", 2), ("map", 2), ("map", 3), ("filter", 2)}
_TWO_NAMES = {("all", 3), ("exists", 3), ("exists_one", 3), ("existsOne", 3)} | {
    (name, count) for name in ("transformList", "transformMap", "transformMapEntry") for count in (3, 4)
}
_INTO_OPTIONAL = {("optMap", 2), ("optFlatMap", 2)}
_ACCUMULATORS = frozenset({"__result__", "@result"})
_STARTS = "'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER"
_EXPECTED = "{'[', '{', '(', '.', '-', '!', " + _STARTS + "}"
_EXPECTED_ARGUMENT = "{'[', '{', '(', ')', '.', '-', '!', " + _STARTS + "}"
_EXPECTED_INDEX = "{'[', '{', '(', '.', '-', '!', '?', " + _STARTS + "}"
_EXPECTED_ENTRY = "{'[', '{', '}', '(', '.', ',', '-', '!', '?', " + _STARTS + "}"
_EXPECTED_ITEM = "{'[', ']', '{', '(', '.', ',', '-', '!', '?', " + _STARTS + "}"
_STARTING = frozenset({"[", "{", "(", ".", "-", "!", "true", "false", "null"})


class _Stop(Exception):
    """The rest cannot be read."""


def parse(source: str, *, binds: bool = False) -> Node:
    """The tree of `source`; `binds`: there is `cel.bind`. Raises CelError with all its mistakes."""
    if len(source) > SIZE_LIMIT:
        what = f"expression code point size exceeds limit: size: {len(source)}, limit {SIZE_LIMIT}"
        raise CelError(located(source, -1, what))
    errors: list[tuple[int, str]] = []
    words = words_of(source, errors)
    if len(words) > WORDS_LIMIT:
        raise CelError(located(source, -1, f"expression has too many parts: limit {WORDS_LIMIT}"))
    parser = _Parser(words, errors, binds=binds)
    try:
        tree = parser.whole()
    except RecursionError as error:
        raise CelError(located(source, -1, TOO_DEEP)) from error
    if parser.is_too_deep:
        raise CelError(located(source, -1, TOO_DEEP))
    if errors or tree is None:
        raise CelError(all_located(source, errors))
    if _is_too_deep(tree):
        raise CelError(located(source, -1, "max recursion depth exceeded"))
    return tree


def _is_too_deep(tree: Node) -> bool:
    level = [tree]
    for _ in range(DEPTH_LIMIT):
        level = [part for node in level for part in below(node)]
        if not level:
            return False
    return True


class _Parser:
    """One reading of one expression."""

    def __init__(self, words: list[Word], errors: list[tuple[int, str]], *, binds: bool) -> None:
        self._words = words
        self._index = 0
        self._now = words[0]
        self._errors = errors
        self._depth = 0
        self._binds = binds
        self.is_too_deep = False

    def whole(self) -> Node | None:
        try:
            tree = self._expression()
            if self._now.kind != "end":
                follows = self._words[self._index + 1]
                how = "extraneous" if follows.kind == "end" else "mismatched"
                if self._now.text in (":", ".", "("):
                    how = "mismatched"
                self._wrong(self._now, f"{how} input '{self._now.text}' expecting <EOF>")
        except _Stop:
            return None
        return tree

    # -- words

    def _next(self) -> Word:
        word = self._now
        self._index += 1
        self._now = self._words[min(self._index, len(self._words) - 1)]
        return word

    def _is(self, text: str) -> bool:
        return self._now.text == text and self._now.kind == "sign"

    def _takes(self, text: str) -> bool:
        if self._now.text == text and self._now.kind == "sign":
            self._next()
            return True
        return False

    def _wrong(self, word: Word, what: str) -> None:
        self._errors.append((word.at, f"Syntax error: {what}"))

    def _closes(self, text: str, expected: str = "") -> None:
        """The sign `text` must stand here."""
        if self._takes(text):
            return
        word, after = self._now, self._words[min(self._index + 1, len(self._words) - 1)]
        if after.text == text and after.kind == "sign":
            self._wrong(word, f"extraneous input '{word.text}' expecting {expected or repr(text)}")
            self._next()
            self._next()
            return
        if not expected and text in ")]" and word.kind == "end":
            self._wrong(word, f"missing '{text}' at '{word.text}'")
            raise _Stop
        if text == ":" and word.kind in _VALUES:
            self._wrong(word, f"missing ':' at '{word.text}'")
            return
        self._wrong(word, f"mismatched input '{word.text}' expecting {expected or repr(text)}")
        raise _Stop

    # -- expressions

    def _expression(self, expected: str = _EXPECTED) -> Node:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            self.is_too_deep = True
            raise _Stop
        condition = self._binary(1, expected)
        if self._is("?"):
            at = self._next().at
            first = self._binary(1, _EXPECTED)
            self._closes(":")
            condition = Call(at, "_?_:_", [condition, first, self._expression()])
        self._depth -= 1
        return condition

    def _binary(self, lowest: int, expected: str) -> Node:
        """Operands and operators that bind at least as tightly as `lowest`."""
        left = self._unary(expected)
        while self._now.kind == "sign" and (level := _LEVELS.get(self._now.text, 0)) >= lowest:
            sign = self._next()
            right = self._binary(level + 1, _EXPECTED)
            function = _FUNCTIONS[sign.text]
            if level > _LOGIC:
                left = Call(sign.at, function, [left, right])
                continue
            terms = [left, right]
            while self._takes(sign.text):
                terms.append(self._binary(level + 1, _EXPECTED))
            left = Call(sign.at, function, terms)
        return left

    def _unary(self, expected: str) -> Node:
        word = self._now
        if word.kind != "sign" or word.text not in "!-":
            return self._members(expected)
        following = self._words[self._index + 1].kind
        if word.text == "-" and following in ("int", "float"):
            return self._members(expected)
        count = 0
        while self._is(word.text) and not (
            word.text == "-" and count and self._words[self._index + 1].kind in ("int", "float")
        ):
            self._next()
            count += 1
        inner = self._members(_EXPECTED)
        if count % 2 == 0:
            return inner
        return Call(word.at, "!_" if word.text == "!" else "-_", [inner])

    def _members(self, expected: str) -> Node:
        node = self._primary(expected)
        while self._now.kind == "sign":
            if self._is("."):
                node = self._member(node)
            elif self._is("["):
                at = self._next().at
                is_optional = self._takes("?")
                key = self._expression(_EXPECTED if is_optional else _EXPECTED_INDEX)
                self._closes("]")
                node = Call(at, "_[?_]" if is_optional else "_[_]", [node, key])
            elif self._is("{") and (name := _dotted(node)):
                node = self._object(name, node)
            else:
                break
        return node

    def _member(self, node: Node) -> Node:
        dot = self._next()
        is_optional = self._takes("?")
        name = self._now
        if name.kind not in ("name", "quoted"):
            self._no_name(dot, name, is_optional=is_optional)
        self._next()
        if self._is("(") and name.kind == "name" and not is_optional:
            at = self._next().at
            return self._method(at, node, name, self._arguments())
        return Select(dot.at, node, name.text.strip("`"), is_optional, False, name.at)

    def _no_name(self, dot: Word, found: Word, *, is_optional: bool) -> None:
        if is_optional:
            self._wrong(found, f"mismatched input '{found.text}' expecting {{IDENTIFIER, ESC_IDENTIFIER}}")
            self._errors.append((found.at, "unsupported ident kind"))
        elif found.text in ("true", "false", "null"):
            self._wrong(found, f"mismatched input '{found.text}' expecting IDENTIFIER")
        else:
            told = "." if found.kind == "end" else f".{found.text}"
            self._wrong(found, f"no viable alternative at input '{told}'")
        raise _Stop

    def _object(self, name: str, node: Node) -> Node:
        at = self._next().at
        entries: list[tuple[str, Node, bool, int]] = []
        while not self._is("}"):
            is_optional = self._takes("?")
            field = self._now
            if field.kind not in ("name", "quoted"):
                self._wrong(field, f"mismatched input '{field.text}' expecting '}}'")
                raise _Stop
            self._next()
            colon = self._now.at
            self._closes(":")
            entries.append((field.text.strip("`"), self._expression(), is_optional, colon))
            if not self._takes(","):
                break
        self._closes("}", "{'}', ','}")
        return MakeObject(at, name, entries)

    def _arguments(self) -> list[Node]:
        """Up to the closing bracket."""
        if self._takes(")"):
            return []
        if self._is(",") and self._words[self._index + 1].text == ")":
            self._wrong(self._next(), f"extraneous input ',' expecting {_EXPECTED_ARGUMENT}")
            self._next()
            return []
        found = [self._expression(_EXPECTED_ARGUMENT)]
        while self._takes(","):
            found.append(self._expression())
        self._closes(")")
        return found

    def _primary(self, expected: str) -> Node:
        word = self._now
        match word.kind:
            case "string" | "bytes" | "float" | "uint" | "int":
                return self._literal(self._next(), "")
            case "name":
                return self._named("")
            case "sign":
                match word.text:
                    case "(":
                        self._next()
                        inner = self._expression()
                        self._closes(")")
                        return inner
                    case "[":
                        return self._list()
                    case "{":
                        return self._map()
                    case "true" | "false" | "null":
                        self._next()
                        return Const(word.at, {"true": True, "false": False, "null": None}[word.text])
                    case "-":
                        self._next()
                        return self._negative(word)
                    case ".":
                        self._next()
                        if self._now.kind != "name":
                            told = "." if self._now.kind == "end" else f".{self._now.text}"
                            self._wrong(self._now, f"no viable alternative at input '{told}'")
                            raise _Stop
                        return self._named(".")
        return self._missing(word, expected)

    def _missing(self, word: Word, expected: str) -> Node:
        """No expression begins here: pass over one word when one begins behind it."""
        after = self._words[min(self._index + 1, len(self._words) - 1)]
        can_start = after.kind not in ("sign", "end", "quoted") or (
            after.kind == "sign" and after.text in _STARTING
        )
        if word.kind != "end" and can_start:
            self._wrong(word, f"extraneous input '{word.text}' expecting {expected}")
            self._next()
            return self._primary(expected)
        self._wrong(word, f"mismatched input '{word.text}' expecting {expected}")
        raise _Stop

    def _negative(self, sign: Word) -> Node:
        if self._now.kind in ("int", "float"):
            return self._literal(self._next(), "-", sign.at)
        raise _Stop

    def _named(self, dot: str) -> Node:
        word = self._next()
        if word.text in _RESERVED:
            self._errors.append((word.at, f"reserved identifier: {word.text}"))
        if self._is("("):
            at = self._next().at
            return self._function(at, dot + word.text, self._arguments())
        return Name(word.at, dot + word.text)

    def _literal(self, word: Word, sign: str, at: int = -1) -> Node:
        at = word.at if at < 0 else at
        try:
            match word.kind:
                case "int":
                    number = int(sign + word.text, 16 if "x" in word.text else 10)
                    if not MIN_INT <= number <= MAX_INT:
                        raise ValueError("invalid int literal")
                    return Const(at, number)
                case "uint":
                    digits = word.text[:-1]
                    number = int(digits, 16 if "x" in digits else 10)
                    if number > MAX_UINT:
                        raise ValueError("invalid uint literal")
                    return Const(at, UInt(number))
                case "float":
                    real = float(sign + word.text)
                    if math.isinf(real):
                        raise ValueError("invalid double literal")
                    return Const(at, real)
                case "bytes":
                    return Const(at, bytes_literal(word.text))
            return Const(at, text_literal(word.text))
        except ValueError as error:
            wrong = {"int": "invalid int literal", "uint": "invalid uint literal"}.get(word.kind, str(error))
            self._errors.append((at, wrong))
            return Const(at, 0)

    def _list(self) -> Node:
        at = self._next().at
        items: list[Node] = []
        optional: set[int] = set()
        if self._is(",") and self._words[self._index + 1].text == "]":
            self._next()
        while not self._is("]"):
            if items and self._is(","):
                self._wrong(self._now, "mismatched input ',' expecting ']'")
                raise _Stop
            if self._takes("?"):
                optional.add(len(items))
            items.append(self._expression(_EXPECTED_ITEM if not items else _EXPECTED))
            if not self._takes(","):
                break
        self._closes("]", "{']', ','}")
        return MakeList(at, items, frozenset(optional))

    def _map(self) -> Node:
        at = self._next().at
        entries: list[tuple[Node, Node, bool]] = []
        if self._is(",") and self._words[self._index + 1].text == "}":
            self._next()
        while not self._is("}"):
            is_optional = self._takes("?")
            key = self._expression(_EXPECTED_ENTRY if not entries else _EXPECTED)
            self._closes(":")
            entries.append((key, self._expression(), is_optional))
            if not self._takes(","):
                break
        self._closes("}", "{'}', ','}")
        return MakeMap(at, entries)

    # -- calls and macros

    def _function(self, at: int, name: str, arguments: list[Node]) -> Node:
        if name.lstrip(".") == "has" and len(arguments) == 1:
            argument = arguments[0]
            if not isinstance(argument, Select) or argument.is_optional:
                self._errors.append((argument.at, "invalid argument to has() macro"))
                return argument
            return Select(at, argument.operand, argument.field, argument.is_optional, True, argument.name_at)
        return Call(at, name, arguments)

    def _method(self, at: int, target: Node, name: Word, arguments: list[Node]) -> Node:
        what = (name.text, len(arguments))
        if what in _ONE_NAME:
            return self._loop(at, target, name.text, arguments[:1], arguments[1:])
        if what in _TWO_NAMES:
            return self._loop(at, target, name.text, arguments[:2], arguments[2:])
        if what in _INTO_OPTIONAL:
            if not isinstance(arguments[0], Name):
                wrong = f"{name.text}() variable name must be a simple identifier"
                self._errors.append((arguments[0].at, wrong))
                return target
            return Loop(at, name.text, target, [arguments[0].name], None, arguments[1], arguments[0].at)
        if what == ("sortBy", 2):
            if not isinstance(arguments[0], Name):
                self._errors.append((arguments[0].at, "argument is not an identifier"))
                return target
            return Loop(at, "sortBy", target, [arguments[0].name], None, arguments[1], arguments[0].at)
        if what == ("bind", 3) and self._binds and isinstance(target, Name) and target.name == "cel":
            if not isinstance(arguments[0], Name):
                self._errors.append((arguments[0].at, "cel.bind() variable names must be simple identifiers"))
                return target
            return Loop(at, "bind", arguments[1], [arguments[0].name], None, arguments[2], arguments[0].at)
        return Call(at, name.text, [target, *arguments], is_member=True)

    def _loop(self, at: int, over: Node, macro: str, named: list[Node], parts: list[Node]) -> Node:
        names: list[str] = []
        for part in named:
            if not isinstance(part, Name) or part.name.startswith("."):
                wrong = (
                    "argument is not an identifier"
                    if macro in ("map", "filter")
                    else "argument must be a simple name"
                )
                self._errors.append((part.at, wrong))
                return over
            if part.name in _ACCUMULATORS:
                self._errors.append((part.at, "iteration variable overwrites accumulator variable"))
                return over
            if part.name in names:
                self._errors.append((part.at, f"duplicate variable name: {part.name}"))
                return over
            names.append(part.name)
        condition = parts[0] if len(parts) == 2 else None
        macro = "exists_one" if macro == "existsOne" else macro
        return Loop(at, macro, over, names, condition, parts[-1], named[0].at)


_VALUES = frozenset({"string", "bytes", "float", "uint", "int", "name", "quoted"})


def _dotted(node: Node) -> str:
    """The name of a type that is spelled out, "" for any other expression."""
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Select) and not node.is_optional and not node.is_test:
        before = _dotted(node.operand)
        return f"{before}.{node.field}" if before else ""
    return ""
