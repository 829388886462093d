"""Expressions in words the library knows: `rewrite`.

Three things of Kubernetes' CEL it cannot parse become calls of ordinary functions and macros, and what
an expression costs is counted by calls put into it (`cost`):

    a.?b[?c].d                    optSelect(a, "b"), and so on along the chain
    cel.bind(x, value, body)      [value].map(x, body)[0]
    m.all(k, v, body)             entries(m).all(e, body), k and v read off e
    l.all(x, body)                l.all(x, (__step__(n) ? (body) : false)), n the operations in the body
    m.transformMap(k, v, body)    entries(m).map(e, {"k": e.k, "v": body}).mapOf()
    o.optMap(x, body)             optList(o).map(x, body).optFirst()
    l.map(x, body)                l.all(x, (__step__(n) ? __push__(i, body) : false)).__collected__(i):
                                  the library's own map and filter copy the list in every round
    x in l, s.contains(t)         x in __weighed__(l), __holds__(s, t), where they stand in a loop
    s.matches(p)                  s.regexMatches(p): the library's own expressions are not RE2's
    s.size()                      s.sizeOf(), where texts are not all ASCII: the library counts bytes
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from wherry.kit.remembered import remembered
from wherry.objects.cel.cost import COLLECTED, HOLDS, PUSH, RESERVED, STEP, WEIGHED
from wherry.objects.cel.tokens import (
    CLOSING,
    Token,
    TokenError,
    arguments,
    check_limits,
    closing,
    tokens_of,
)

SELECT = "optSelect"
ENTRIES = "entries"
SIZE = "sizeOf"
LOOPS = frozenset(
    {"all", "exists", "exists_one", "existsOne", "map", "filter", "bind", "optMap", "optFlatMap"}
    | {"transformList", "transformMap", "transformMapEntry"}
)
_MAPS = {"transformMap": "mapOf", "transformMapEntry": "mapMerged"}
_OPTIONALS = {"optMap": "optFirst", "optFlatMap": "optFlat"}
_COPYING = 200  # what a round of the library's own map costs, which copies what it has so far
_OPERATORS = frozenset({"&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", "["})
_TWO_VARIABLES = {
    "all": "all",
    "exists": "exists",
    "exists_one": "exists_one",
    "existsOne": "exists_one",
    "transformList": "map",
}


@dataclass(slots=True)
class Rewritten:
    """An expression in the library's words.

    `operations` is what it costs outside of its loops, `pluses` how many additions there are.
    """

    text: str
    operations: int
    pluses: int


@dataclass(slots=True)
class _Pass:
    """One pass over one expression."""

    weighs: bool  # whether bound values may grow, so that their sizes must be watched
    collects: bool  # whether lists may be made outside of the library, which knows more types than Python
    counts: bool  # whether sizes are to be told by characters
    depth: int = 0  # how many loops what is being rewritten stands in
    lists: int = 0  # how many lists are collected so far
    numbers: count[int] = field(default_factory=count)


def rewrite(source: str, *, counts_characters: bool = False) -> Rewritten:
    """`source` with everything the library does not know replaced. Raises TokenError.

    With `counts_characters` sizes are told by characters, at the price of calls out of the library.
    """
    tokens = [token for token in check_limits(source) if token.kind != "space"]
    if any(token.text in RESERVED for token in tokens):
        raise TokenError(f"ERROR: <input>:1:1: names such as {STEP} are reserved")
    pluses = sum(1 for token in tokens if token.text == "+")
    has_more_types = any(_is_of_own_type(tokens, index) for index in range(len(tokens)))
    made = _rewritten(tokens, _Pass(pluses > 0, not has_more_types, counts_characters))
    return Rewritten(_text(made), operations(tokens), pluses)


def _is_of_own_type(tokens: list[Token], index: int) -> bool:
    """Whether a value is made that would not survive a visit to Python: unsigned numbers, types."""
    token = tokens[index]
    if token.kind == "number":
        return token.text[-1] in "uU"
    return token.text in ("uint", "type") and index + 1 < len(tokens) and tokens[index + 1].text == "("


def is_loop(tokens: list[Token], index: int) -> bool:
    """Whether a macro that evaluates its arguments many times, or binds them, is called at `index`."""
    follows = tokens[index + 1].text if index + 1 < len(tokens) else ""
    return tokens[index].kind == "name" and tokens[index].text in LOOPS and follows == "("


@remembered(4096)
def nesting(source: str) -> int:
    """How deep loops stand in one another; 0 without any, and for what is no CEL."""
    deepest = 0
    ends: list[int] = []
    try:
        tokens = [token for token in tokens_of(source) if token.kind != "space"]
        for index, token in enumerate(tokens):
            ends = [end for end in ends if end > index]
            if token.text != "bind" and is_loop(tokens, index):
                ends.append(closing(tokens, index + 1))
                deepest = max(deepest, len(ends))
    except TokenError:
        return 0
    return deepest


def operations(tokens: list[Token]) -> int:
    """What the tokens cost when evaluated once, loops not counted: they count for themselves."""
    found, index = 1, 0
    while index < len(tokens):
        if is_loop(tokens, index):
            index = closing(tokens, index + 1)
        elif tokens[index].kind == "name" or tokens[index].text in _OPERATORS:
            found += 1
        index += 1
    return found


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


def _rewritten(tokens: list[Token], work: _Pass) -> list[Token]:
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
            made += _call(SELECT, _rewritten(tokens[index + 1 : end], work))
            optional, index = True, end + 1
            continue
        if token.kind == "sign" and token.text in CLOSING:
            end = closing(tokens, index)
            inside = _arguments(made, tokens, index, end, work)
            made += inside
            optional, index = False, end + 1
            continue
        if token.kind != "name" and token.text != ".":
            optional = False
        if token.text == "in" and token.kind == "name" and work.depth and (stop := _chain_end(tokens, index)):
            inside = _rewritten(tokens[index + 1 : stop], work)
            made += [token, _name(WEIGHED), _sign("("), *inside, _sign(")")]
            index = stop
            continue
        made.append(_renamed(tokens, index, work))
        index += 1
    return made


def _renamed(tokens: list[Token], index: int, work: _Pass) -> Token:
    """The token, or the name of the function that stands for the one it names."""
    token = tokens[index]
    if token.kind == "name" and index + 1 < len(tokens) and tokens[index + 1].text == "(":
        if token.text == "matches":
            return _name("regexMatches")
        if token.text == "size" and work.counts:
            return _name(SIZE)
        if token.text == "contains" and work.depth and index and tokens[index - 1].text == ".":
            return _name(HOLDS) if index < 2 or tokens[index - 2].text != "sets" else token
    return token


def _chain_end(tokens: list[Token], index: int) -> int:
    """Where the chain of fields and indices behind the `in` at `index` ends; 0 when it is none."""
    here = index + 1
    if here >= len(tokens) or tokens[here].kind != "name":
        return 0
    here += 1
    while here < len(tokens):
        text = tokens[here].text
        if text in ("(", "[", "[?"):
            here = closing(tokens, here) + 1
        elif text in (".", ".?"):
            here += 2
        else:
            break
    return here


def _is_field(tokens: list[Token], index: int) -> bool:
    """Whether the dot at `index` selects a field rather than calling a method."""
    return index + 2 >= len(tokens) or tokens[index + 2].text != "("


def _bare(name: str) -> str:
    return name.strip("`")


def _call(method: str, inside: list[Token]) -> list[Token]:
    return [_sign("."), _name(method), _sign("("), *inside, _sign(")")]


def _arguments(made: list[Token], tokens: list[Token], start: int, end: int, work: _Pass) -> list[Token]:
    """What stands in brackets, with the macro before them (at the end of `made`) taken into account."""
    bracket = tokens[start]
    parts = arguments(tokens, start, end)
    called = made[-1].text if made and made[-1].kind == "name" and bracket.text == "(" else ""
    if called == "bind" and len(parts) == 3 and [token.text for token in made[-3:-1]] == ["cel", "."]:
        del made[-3:]
        value = _rewritten(parts[1], work)
        body = _body(parts[2], parts[0], work, weighs=work.weighs)
        mapped = _call("map", [*parts[0], _sign(","), *body])
        first = [_sign("["), _number(0), _sign("]")]
        return [_sign("["), *value, _sign("]"), *mapped, *first]
    if called in _TWO_VARIABLES and len(parts) in (3, 4) and _are_names(parts[:2]):
        made[-1:] = [_name(ENTRIES), _sign("("), _sign(")"), _sign("."), _name(_TWO_VARIABLES[called])]
        entry = f"entry{next(work.numbers)}"
        fields = {parts[0][0].text: f"{entry}.k", parts[1][0].text: f"{entry}.v"}
        parts = [[_name(entry)], *(_substituted(part, fields) for part in parts[2:])]
        return [bracket, *_loop(made, parts, work)]
    if called in _MAPS and len(parts) in (3, 4) and _are_names(parts[:2]):
        return [bracket, *_map_loop(made, parts, work)]
    if called in _OPTIONALS and len(parts) == 2 and _are_names(parts[:1]):
        made[-1:] = [_name("optList"), _sign("("), _sign(")"), _sign("."), _name("map")]
        return [bracket, *_loop(made, parts, work), *_call(_OPTIONALS[called], [])]
    if called in LOOPS and len(parts) in (2, 3) and _are_names(parts[:1]):
        if called == "existsOne":
            made[-1] = _name("exists_one")
        return [bracket, *_loop(made, parts, work)]
    inside = [token for part in parts for token in (_sign(","), *_rewritten(part, work))]
    return [bracket, *inside[1:], _sign(CLOSING[bracket.text])]


def _map_loop(made: list[Token], parts: list[list[Token]], work: _Pass) -> list[Token]:
    """`m.transformMap(k, v, body)`: a list of entries, made a map again."""
    macro = made[-1].text
    made[-1:] = [_name(ENTRIES), _sign("("), _sign(")"), _sign("."), _name("map")]
    entry = f"entry{next(work.numbers)}"
    fields = {parts[0][0].text: f"{entry}.k", parts[1][0].text: f"{entry}.v"}
    body = _substituted(parts[-1], fields)
    if macro == "transformMap":
        key = [Token("string", '"k"', 0), _sign(":"), _name(entry), _sign("."), _name("k"), _sign(",")]
        body = [_sign("{"), *key, Token("string", '"v"', 0), _sign(":"), *body, _sign("}")]
    kept = [_substituted(part, fields) for part in parts[2:-1]]
    return [*_loop(made, [[_name(entry)], *kept, body], work), *_call(_MAPS[macro], [])]


def _loop(made: list[Token], parts: list[list[Token]], work: _Pass) -> list[Token]:
    """The arguments of the macro at the end of `made`, whose name may change, and what follows them."""
    macro = made[-1].text
    if macro not in ("map", "filter") or not work.collects:
        extra = _COPYING if macro in ("map", "filter") else 0
        body = _body(parts[1], parts[0], work, extra=extra)
        rest = [token for part in parts[2:] for token in (_sign(","), *_inside(part, work))]
        return [*parts[0], _sign(","), *body, *rest, _sign(")")]
    made[-1] = _name("all")
    number = _number(work.lists)
    work.lists += 1
    if macro == "filter":
        body = _body(parts[1], parts[0], work, keep=[number, *parts[0]])
    elif len(parts) == 2:
        body = _body(parts[1], parts[0], work, keep=[number])
    else:
        made_of = _inside(parts[2], work)
        body = _body(parts[1], parts[0], work, keep=[number, *made_of])
    return [*parts[0], _sign(","), *body, _sign(")"), *_call(COLLECTED, [number])]


def _inside(part: list[Token], work: _Pass) -> list[Token]:
    work.depth += 1
    made = _rewritten(part, work)
    work.depth -= 1
    return made


def _body(
    part: list[Token],
    variable: list[Token],
    work: _Pass,
    *,
    extra: int = 0,
    keep: list[Token] | None = None,
    weighs: bool = False,
) -> list[Token]:
    """`(__step__(cost, from, to) ? (part) : false)`: with the budget spent, the part is not even looked at.

    `from` and `to` number the lists collected in the part, which start anew in every round. `keep` is
    the number of the list the value of the part goes to, or, behind the number, what goes there if the
    part holds.
    """
    first = work.lists
    inside = _inside(part, work)
    cost = [
        _number(operations(part) + 1 + extra),
        _sign(","),
        _number(first),
        _sign(","),
        _number(work.lists),
    ]
    if weighs:
        cost += [_sign(","), *variable]
    value = [_sign("("), *inside, _sign(")")]
    if keep is not None and len(keep) == 1:
        value = [_name(PUSH), _sign("("), *keep, _sign(","), *inside, _sign(")")]
    elif keep is not None:
        push = [_name(PUSH), _sign("("), keep[0], _sign(","), *keep[1:], _sign(")")]
        value = [_sign("("), *value, _sign("?"), *push, _sign(":"), _name("true"), _sign(")")]
    step = [_name(STEP), _sign("("), *cost, _sign(")")]
    return [_sign("("), *step, _sign("?"), *value, _sign(":"), _name("false"), _sign(")")]


def _number(value: int) -> Token:
    return Token("number", str(value), 0)


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
