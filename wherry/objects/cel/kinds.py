"""What kind of value an expression has, as far as it shows: `kind_of`.

The language's own checker knows the type of everything; here only what the outermost operator, function
or literal tells is known. "" stands for what cannot be told and must be found out by evaluating.
"""

from __future__ import annotations

from wherry.objects.cel.tokens import CLOSING, Token, TokenError, closing, tokens_of

_RELATIONS = frozenset({"||", "&&", "==", "!=", "<", "<=", ">", ">=", "in"})
_SUMS = frozenset({"+", "-", "*", "/", "%"})
_RETURNS = {
    "bool": (
        "all exists exists_one existsOne contains startsWith endsWith matches has isURL isIP isCIDR "
        "isQuantity isSemver isSorted isGreaterThan isLessThan hasValue allowed errored containsIP "
        "containsCIDR bool isInteger isLoopback isUnspecified isGlobalUnicast "
        "isLinkLocalUnicast isLinkLocalMulticast isNaN"
    ),
    "string": (
        "string format lowerAscii upperAscii trim substring replace join charAt find getHost getHostname "
        "getPort getScheme getEscapedPath reason error quote escapeKey"
    ),
    "int": "size int indexOf lastIndexOf compareTo sign asInteger major minor patch family prefixLength",
    "double": "double asApproximateFloat",
    "list": "filter findAll split transformList map flatten distinct sort range",
    "map": "transformMap transformMapEntry getQuery",
}
_BY_FUNCTION = {name: kind for kind, names in _RETURNS.items() for name in names.split()}


def kind_of(source: str) -> str:
    """ "bool", "string", "int", "double", "list", "map", "null_type", or "" when it does not show."""
    try:
        return _kind([token for token in tokens_of(source) if token.kind != "space"])
    except TokenError:
        return ""


def _kind(tokens: list[Token]) -> str:
    while tokens and tokens[0].text == "(" and closing(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    if not tokens:
        return ""
    top = _top_level(tokens)
    texts = {tokens[index].text for index in top}
    if "?" in texts:
        return _conditional(tokens, top)
    if texts & _RELATIONS or tokens[0].text == "!":
        return "bool"
    sums = [index for index in top if tokens[index].text in _SUMS and index > 0]
    if sums:
        return _kind(tokens[: sums[0]]) or _kind(tokens[sums[0] + 1 :])
    if len(tokens) == 1:
        return _literal(tokens[0])
    return _chain(tokens)


def _top_level(tokens: list[Token]) -> list[int]:
    """The indices of tokens outside of all brackets."""
    found: list[int] = []
    index = 0
    while index < len(tokens):
        if tokens[index].kind == "sign" and tokens[index].text in CLOSING:
            index = closing(tokens, index)
        else:
            found.append(index)
        index += 1
    return found


def _conditional(tokens: list[Token], top: list[int]) -> str:
    asked = next(index for index in top if tokens[index].text == "?")
    depth, at = 0, 0
    for index in (index for index in top if index > asked):
        if tokens[index].text == "?":
            depth += 1
        elif tokens[index].text == ":":
            if not depth:
                at = index
                break
            depth -= 1
    if not at:
        return ""
    first, second = _kind(tokens[asked + 1 : at]), _kind(tokens[at + 1 :])
    return first if first == second else ""


def _literal(token: Token) -> str:
    if token.kind == "string":
        return "bytes" if token.text[0] in "bB" or token.text[:2].lower() == "rb" else "string"
    if token.kind == "number":
        if token.text[-1] in "uU":
            return "uint"
        is_whole = token.text.isdigit() or token.text[:2].lower() == "0x"
        return "int" if is_whole else "double"
    return {"true": "bool", "false": "bool", "null": "null_type"}.get(token.text, "")


def _chain(tokens: list[Token]) -> str:
    """The kind of fields, calls and indices behind one another."""
    if tokens[0].text in ("[", "{") and closing(tokens, 0) == len(tokens) - 1:
        return "list" if tokens[0].text == "[" else "map"
    if tokens[0].text == "-":
        return _kind(tokens[1:])
    if tokens[-1].text != ")":
        return ""
    for index, token in enumerate(tokens[:-1]):
        opens = tokens[index + 1]
        if token.kind == "name" and opens.text == "(" and closing(tokens, index + 1) == len(tokens) - 1:
            return _BY_FUNCTION.get(token.text, "")
    return ""
