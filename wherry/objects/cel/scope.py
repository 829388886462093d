"""Judge what an expression names: `undeclared`. Mistakes are found before anything is evaluated.

Variables must be declared or bound by a macro, functions must exist. Fields are not looked at: what an
object has is known only when it is there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

from wherry.objects.cel.tokens import Token, TokenError, arguments, closing, syntax_error, tokens_of

_CONSTANTS = frozenset({"true", "false", "null", "in"})
_TYPES = frozenset(
    {"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint", "dyn"}
)
_NAMESPACES = frozenset(
    {"base64", "cel", "format", "ip", "jsonpatch", "lists", "math", "optional", "sets", "strings"}
)
_MACROS = frozenset(
    {"all", "exists", "exists_one", "existsOne", "map", "filter", "transformList", "transformMap"}
    | {"transformMapEntry", "bind", "optMap", "optFlatMap"}
)
_NATIVE = frozenset(
    {"has", "size", "contains", "startsWith", "endsWith", "matches", "duration", "timestamp", "bind"}
    | {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"}
    | {"getHours", "getMinutes", "getSeconds", "getMilliseconds"}
    | {"of", "ofNonZeroValue", "none", "or", "orValue", "value", "hasValue", "optMap", "optFlatMap"}
)
_AUTHORIZER = frozenset(
    {"path", "group", "resource", "subresource", "namespace", "name", "serviceAccount", "requestResource"}
    | {"check", "allowed", "reason", "errored", "error", "fieldSelector", "labelSelector"}
)
_PATCHES = frozenset({"Object", "JSONPatch"})
_OTHERS = _NATIVE | _MACROS | _TYPES | _AUTHORIZER | {"escapeKey"}


@cache
def _functions() -> frozenset[str]:
    """The names of all functions there are."""
    from wherry.objects.cel.functions import FUNCTIONS  # loads the library

    return frozenset(name.rpartition(".")[2] for name in FUNCTIONS) | _OTHERS


def undeclared(
    source: str,
    variables: Collection[str],
    *,
    fields: Mapping[str, Collection[str]] | None = None,
    makes_patches: bool = False,
) -> str:
    """The compiler's errors for names that mean nothing, "" without any.

    `variables` are the declared ones, `fields` those of the variables that have known ones;
    `makes_patches` says that objects and JSON patches can be made.
    """
    try:
        tokens = [token for token in tokens_of(source) if token.kind != "space"]
        walk = _Walk(source, _PATCHES if makes_patches else frozenset(), fields or {})
        walk.over(tokens, frozenset(variables) | _CONSTANTS | _TYPES)
    except TokenError as error:
        return str(error)
    return "\n".join(walk.errors)


class _Walk:
    """One look at one expression."""

    def __init__(self, source: str, messages: frozenset[str], fields: Mapping[str, Collection[str]]) -> None:
        self._source = source
        self._fields = fields
        self._messages = messages
        self.errors: list[str] = []

    def over(self, tokens: list[Token], known: frozenset[str]) -> None:
        index = 0
        while index < len(tokens):
            token = tokens[index]
            follows = tokens[index + 1].text if index + 1 < len(tokens) else ""
            if token.kind != "name":
                index += 1
                continue
            is_member = index > 0 and tokens[index - 1].text in (".", ".?")
            if follows == "(":
                index = self._call(tokens, index, known)
                continue
            if follows == "{" and (is_member or token.text in self._messages):
                index = self._message(tokens, index + 1, known)
                continue
            is_namespace = follows == "." and token.text in _NAMESPACES | self._messages
            if not is_member and not is_namespace and token.text not in known:
                self._missing(token.text, token.at)
            elif not is_member and token.text in self._fields:
                self._field(tokens, index + 1, self._fields[token.text])
            index += 1

    def _call(self, tokens: list[Token], index: int, known: frozenset[str]) -> int:
        """Look at a call, and return where it ends."""
        name, end = tokens[index].text, closing(tokens, index + 1)
        if name not in _functions():
            self._missing(name, tokens[index + 1].at)
        parts = [part for part in arguments(tokens, index + 1, end) if part]
        bound = 0
        if name in _MACROS and index > 0:
            while (
                bound < min(2, len(parts) - 1) and len(parts[bound]) == 1 and parts[bound][0].kind == "name"
            ):
                bound += 1
            if name == "bind" or len(parts) == 2:
                bound = min(bound, 1)
            elif name in ("map", "filter") and len(parts) == 3:
                bound = 1
        inside = known | {part[0].text for part in parts[:bound]}
        for part in parts[bound:]:
            self.over(part, inside)
        return end + 1

    def _message(self, tokens: list[Token], index: int, known: frozenset[str]) -> int:
        """Look at `Kind{field: value}`, and return where it ends."""
        end = closing(tokens, index)
        for part in arguments(tokens, index, end):
            named = part[1:] if part and part[0].text == "?" else part
            self.over(named[2:] if len(named) > 1 and named[1].text == ":" else part, known)
        return end + 1

    def _field(self, tokens: list[Token], index: int, known: Collection[str]) -> None:
        """Look at the field chosen of a variable whose fields are known."""
        name = tokens[index + 1] if index + 1 < len(tokens) and tokens[index].text == "." else None
        if name is not None and name.text not in known:
            what = f"undefined field '{name.text}'"
            self.errors.append(syntax_error(self._source, tokens[index].at, what))

    def _missing(self, name: str, at: int) -> None:
        what = f"undeclared reference to '{name}' (in container '')"
        self.errors.append(syntax_error(self._source, at, what))
