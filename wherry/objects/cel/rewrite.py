"""Expressions in words the library knows: `rewrite`.

Three things of Kubernetes' CEL it cannot parse become calls of ordinary functions and macros:

    a.?b[?c].d                    optSelect(a, "b"), and so on along the chain
    cel.bind(x, value, body)      [value].map(x, body)[0]
    m.all(k, v, body)             entries(m).all(e, body), k and v read off e
"""

from __future__ import annotations

from itertools import count

from wherry.objects.cel.tokens import CLOSING, Token, arguments, closing, tokens_of

SELECT = "optSelect"
ENTRIES = "entries"
_TWO_VARIABLES = {
    "all": "all",
    "exists": "exists",
    "exists_one": "exists_one",
    "existsOne": "exists_one",
    "transformList": "map",
}


def rewrite(source: str) -> str:
    """`source` with everything the library does not know replaced. Raises TokenError."""
    if not any(word in source for word in (".?", "[?", "cel.bind", "existsOne", *_TWO_VARIABLES)):
        return source
    tokens = [token for token in tokens_of(source) if token.kind != "space"]
    return _text(_rewritten(tokens, count()))


def _text(tokens: list[Token]) -> str:
    """The tokens as source, with spaces between words."""
    parts: list[str] = []
    is_after_word = False
    for token in tokens:
        is_word = token.kind in ("name", "number")
        if is_after_word and (is_word or token.kind == "string"):
            parts.append(" ")
        parts.append(token.text)
        is_after_word = is_word
    return "".join(parts)


def _sign(text: str) -> Token:
    return Token("sign", text, 0)


def _name(text: str) -> Token:
    return Token("name", text, 0)


def _rewritten(tokens: list[Token], numbers: count[int]) -> list[Token]:
    made: list[Token] = []
    index = 0
    optional = False  # whether the chain now being read has become an optional value
    while index < len(tokens):
        token = tokens[index]
        if token.text == ".?" or (token.text == "." and optional and _is_field(tokens, index)):
            made += _call(SELECT, [Token("string", f'"{_bare(tokens[index + 1].text)}"', 0)])
            optional, index = True, index + 2
            continue
        if token.text == "[?" or (token.text == "[" and optional):
            end = closing(tokens, index)
            made += _call(SELECT, _rewritten(tokens[index + 1 : end], numbers))
            optional, index = True, end + 1
            continue
        if token.kind == "sign" and token.text in CLOSING:
            end = closing(tokens, index)
            inside = _arguments(made, tokens, index, end, numbers)
            made += inside
            optional, index = False, end + 1
            continue
        if token.kind != "name" and token.text != ".":
            optional = False
        made.append(token)
        index += 1
    return made


def _is_field(tokens: list[Token], index: int) -> bool:
    """Whether the dot at `index` selects a field rather than calling a method."""
    return index + 2 >= len(tokens) or tokens[index + 2].text != "("


def _bare(name: str) -> str:
    return name.strip("`")


def _call(method: str, inside: list[Token]) -> list[Token]:
    return [_sign("."), _name(method), _sign("("), *inside, _sign(")")]


def _arguments(
    made: list[Token], tokens: list[Token], start: int, end: int, numbers: count[int]
) -> list[Token]:
    """What stands in brackets, with the macro before them (at the end of `made`) taken into account."""
    bracket = tokens[start]
    parts = arguments(tokens, start, end)
    called = made[-1].text if made and made[-1].kind == "name" and bracket.text == "(" else ""
    if called == "bind" and len(parts) == 3 and [token.text for token in made[-3:-1]] == ["cel", "."]:
        del made[-3:]
        value, body = _rewritten(parts[1], numbers), _rewritten(parts[2], numbers)
        mapped = [*parts[0], _sign(","), *body]
        return [
            _sign("["),
            *value,
            _sign("]"),
            *_call("map", mapped),
            _sign("["),
            Token("number", "0", 0),
            _sign("]"),
        ]
    if called in _TWO_VARIABLES and len(parts) in (3, 4) and _are_names(parts[:2]):
        made[-1:] = [_name(ENTRIES), _sign("("), _sign(")"), _sign("."), _name(_TWO_VARIABLES[called])]
        entry = f"entry{next(numbers)}"
        fields = {parts[0][0].text: f"{entry}.k", parts[1][0].text: f"{entry}.v"}
        rest = [_rewritten(_substituted(part, fields), numbers) for part in parts[2:]]
        joined = [token for part in rest for token in (_sign(","), *part)]
        return [bracket, _name(entry), *joined, _sign(")")]
    if called == "existsOne":
        made[-1] = _name("exists_one")
    inside: list[Token] = []
    for number, part in enumerate(parts):
        inside += [_sign(",")] if number else []
        inside += _rewritten(part, numbers)
    return [bracket, *inside, _sign(CLOSING[bracket.text])]


def _are_names(parts: list[list[Token]]) -> bool:
    return all(len(part) == 1 and part[0].kind == "name" for part in parts)


def _substituted(tokens: list[Token], fields: dict[str, str]) -> list[Token]:
    """The tokens with names replaced where they stand for variables."""
    made: list[Token] = []
    for index, token in enumerate(tokens):
        is_variable = token.kind == "name" and (index == 0 or tokens[index - 1].text not in (".", ".?"))
        if is_variable and token.text in fields:
            variable, _, field = fields[token.text].partition(".")
            made += [_name(variable), _sign("."), _name(field)]
        else:
            made.append(token)
    return made
