"""Find out the type of every part of an expression, and what cannot be: `check`.

Source: the CEL language definition, "Type checking", with cel-go's texts; of upstream's validators those for
literals (durations, timestamps, patterns, format strings, lists and maps of one type).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from wherry.objects.cel import literal_checks
from wherry.objects.cel.declarations import FUNCTIONS, Overload
from wherry.objects.cel.errors import CelError
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
    operands_first,
)
from wherry.objects.cel.source import all_located
from wherry.objects.cel.types import (
    BOOL,
    DURATION,
    DYN,
    ERROR,
    INT,
    STRING,
    TIMESTAMP,
    Bindings,
    Type,
    assignable,
    list_of,
    map_of,
    more_general,
    optional_of,
    signature,
    substituted,
    type_of,
)
from wherry.objects.cel.values import kind

TYPE_NAMES: Mapping[str, Type] = {
    **{name: Type(name) for name in ("bool", "bytes", "double", "int", "string", "uint", "null_type")},
    "list": list_of(DYN),
    "map": map_of(DYN, DYN),
    "type": type_of(DYN),
    "google.protobuf.Timestamp": TIMESTAMP,
    "google.protobuf.Duration": DURATION,
    "optional_type": optional_of(DYN),
}


@dataclass(frozen=True, slots=True)
class Environment:
    """What an expression may name: variables with their types, None for any name at all.

    `objects` says whether objects (`Object{...}`, `JSONPatch{...}`) may be made, `binds` whether there is
    `cel.bind`, which upstream has in the selectors of devices alone.
    """

    variables: Mapping[str, Type] | None = None
    objects: bool = True
    binds: bool = False


ANYTHING = Environment()


def check(tree: Node, source: str, environment: Environment = ANYTHING) -> Type:
    """The type of the whole expression; every node is given its own. Raises CelError with all mistakes."""
    walk = _Check(environment)
    found = walk.of(tree)
    if walk.errors:
        raise CelError(all_located(source, walk.errors))
    result = substituted(found, walk.found, free=True)
    errors = walk.aggregates() + list(literal_checks.errors(tree))
    if errors:
        raise CelError(all_located(source, errors))
    return result


class _Check:
    """One walk over one tree."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._scopes: list[dict[str, Type]] = []
        self._numbers = count()
        self._aggregates: list[tuple[Node, Node, Type, Type]] = []
        self._exempt = 0
        self._done: dict[int, tuple[Node, Type]] = {}
        self.found: Bindings = {}
        self.errors: list[tuple[int, str]] = []

    def of(self, node: Node) -> Type:
        """The type of a node."""
        if (done := self._done.pop(node.at, None)) is not None and done[0] is node:
            return done[1]
        for part in operands_first(node):
            self._done[part.at] = part, self._of(part)
        return self._of(node)

    def _of(self, node: Node) -> Type:
        made = _BY_CLASS[node.__class__](self, node)
        node.type = made
        return made

    def aggregates(self) -> list[tuple[int, str]]:
        """Lists and maps whose parts are not of one type."""
        errors = []
        told: set[int] = set()
        for whole, node, first, other in self._aggregates:
            if id(whole) in told:
                continue
            first, other = (substituted(part, self.found, free=True) for part in (first, other))
            if first == other:
                continue
            told.add(id(whole))
            errors.append((node.at, f"expected type '{first}' but found '{other}'"))
        return errors

    def _wrong(self, at: int, what: str) -> Type:
        self.errors.append((at, what))
        return ERROR

    def _fresh(self) -> Type:
        return Type(f"_var{next(self._numbers)}", is_parameter=True)

    def _now(self, found: Type) -> Type:
        return substituted(found, self.found)

    def _shown(self, found: Type) -> Type:
        return substituted(found, self.found, free=True)

    def _fits(self, wanted: Type, given: Type) -> bool:
        trial = dict(self.found)
        if not assignable(wanted, given, trial):
            return False
        self.found = trial
        return True

    def _expect(self, node: Node, wanted: Type) -> None:
        given = self.of(node)
        if not self._fits(wanted, given):
            self._wrong(node.at, f"expected type '{self._shown(wanted)}' but found '{self._shown(given)}'")

    # -- leaves

    def _const(self, node: Const) -> Type:
        return Type(kind(node.value))

    def _variable(self, name: str) -> Type | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        variables = self._environment.variables
        if variables is not None and name in variables:
            return variables[name]
        if (known := TYPE_NAMES.get(name)) is not None:
            return type_of(known)
        return DYN if variables is None and "." not in name and name not in _NAMESPACES else None

    def _name(self, node: Name) -> Type:
        found = self._variable(node.name.lstrip("."))
        if found is None:
            return self._undeclared(node.at, node.name)
        return found

    def _undeclared(self, at: int, name: str) -> Type:
        return self._wrong(at, f"undeclared reference to '{name}' (in container '')")

    def _select(self, node: Select) -> Type:
        if not node.is_optional and not node.is_test and (name := dotted(node)) in TYPE_NAMES:
            return type_of(TYPE_NAMES[name])
        operand = self._now(self.of(node.operand))
        inner, is_optional = operand, node.is_optional
        if operand.name == "optional_type":
            inner, is_optional = self._now(operand.parameters[0]), True
        found = self._field(inner, node)
        if node.is_test:
            return BOOL
        return optional_of(found) if is_optional else found

    def _field(self, inner: Type, node: Select) -> Type:
        if inner.is_parameter:
            self._fits(inner, DYN)
            return DYN
        if inner.name == "map":
            self._fits(inner.parameters[0], STRING)
            return inner.parameters[1]
        if inner.field is not None:
            found = inner.field(node.field)
            return self._wrong(node.at, f"undefined field '{node.field}'") if found is None else found
        if inner.name in ("dyn", "!error!"):
            return DYN
        return self._wrong(node.at, f"type '{self._shown(inner)}' does not support field selection")

    # -- calls

    def _call(self, node: Call) -> Type:
        if node.function in ("_&&_", "_||_"):
            for argument in node.arguments:
                self._expect(argument, BOOL)
            return BOOL
        if node.is_member and (name := dotted(node.arguments[0])):
            full = f"{name}.{node.function}".lstrip(".")
            if full in FUNCTIONS and self._has(full) and self._bound(name.split(".")[0]) is None:
                node.function, node.is_member = full, False
                node.arguments = node.arguments[1:]
        name = node.function.lstrip(".")
        node.function = name
        given = self._arguments(node)
        overloads = FUNCTIONS.get(name) if self._has(name) else None
        if overloads is None:
            return self._undeclared(node.at, name)
        return self._resolved(node, name, overloads, given)

    def _has(self, function: str) -> bool:
        return self._environment.objects or function != "jsonpatch.escapeKey"

    def _bound(self, name: str) -> Type | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return (self._environment.variables or {}).get(name)

    def _arguments(self, node: Call) -> list[Type]:
        if node.function == "format" and node.is_member:
            self._exempt += 1
            given = [self.of(argument) for argument in node.arguments]
            self._exempt -= 1
            return given
        return [self.of(argument) for argument in node.arguments]

    def _resolved(self, node: Call, name: str, overloads: list[Overload], given: list[Type]) -> Type:
        result: Type | None = None
        given = [self._now(part) for part in given]
        for overload in overloads:
            if overload.is_member != node.is_member or len(overload.arguments) != len(given):
                continue
            names = f"_{next(self._numbers)}"
            wanted = [_renamed(part, names) for part in overload.arguments]
            trial = dict(self.found)
            if not all(assignable(want, part, trial) for want, part in zip(wanted, given, strict=True)):
                continue
            self.found = trial
            node.overloads.append(overload)
            made = self._now(_renamed(overload.result, names))
            if result is None:
                result = made
            elif result.name != "dyn" and not _same(result, made):
                result = DYN
        if result is None:
            shown = signature([self._shown(part) for part in given], is_member=node.is_member)
            return self._wrong(node.at, f"found no matching overload for '{name}' applied to '{shown}'")
        return result

    # -- what is made

    def _make_list(self, node: MakeList) -> Type:
        item: Type | None = None
        first: Type | None = None
        for index, part in enumerate(node.items):
            found = self.of(part)
            if index in node.optional:
                found = self._unwrapped(part, found)
            first = self._alike(node, part, first, found)
            item = self._joined(item, found)
        return list_of(item if item is not None else self._fresh())

    def _make_map(self, node: MakeMap) -> Type:
        key: Type | None = None
        value: Type | None = None
        first_key: Type | None = None
        first: Type | None = None
        for name, part, is_optional in node.entries:
            named = self.of(name)
            first_key, key = self._alike(node, name, first_key, named), self._joined(key, named)
            found = self.of(part)
            if is_optional:
                found = self._unwrapped(part, found)
            first, value = self._alike(node, part, first, found), self._joined(value, found)
        return map_of(
            key if key is not None else self._fresh(), value if value is not None else self._fresh()
        )

    def _unwrapped(self, node: Node, found: Type) -> Type:
        found = self._now(found)
        if found.name == "optional_type":
            return found.parameters[0]
        if found.name in ("dyn", "!error!"):
            return DYN
        wanted = optional_of(self._shown(found))
        return self._wrong(node.at, f"expected type '{wanted}' but found '{self._shown(found)}'")

    def _alike(self, whole: Node, node: Node, first: Type | None, found: Type) -> Type:
        """Remember that all parts of a list or map should be of the first one's type."""
        if first is None:
            return found
        if not self._exempt:
            self._aggregates.append((whole, node, first, found))
        return first

    def _joined(self, known: Type | None, found: Type) -> Type:
        if known is None:
            return found
        if self._fits(known, found):
            return more_general(self._now(known), self._now(found))
        return DYN

    def _make_object(self, node: MakeObject) -> Type:
        root = node.name.split(".")[0]
        known = root in ("Object", "JSONPatch") and self._environment.objects
        for _name, part, is_optional, _at in node.entries:
            found = self.of(part)
            if is_optional and known:
                self._unwrapped(part, found)
        if known:
            return Type(node.name, field=lambda _name: DYN)
        if node.name in TYPE_NAMES:
            return self._wrong(node.at, f"'{node.name}' is not a message type")
        return self._undeclared(node.at, node.name)

    # -- loops

    def _loop(self, node: Loop) -> Type:
        over = self._now(self.of(node.over))
        if node.macro in ("optMap", "optFlatMap"):
            return self._into_optional(node, over)
        names = {node.names[0]: over} if node.macro == "bind" else self._variables_of(node, over)
        self._scopes.append(names)
        result = self._loop_body(node, over, names)
        self._scopes.pop()
        return result

    def _variables_of(self, node: Loop, over: Type) -> dict[str, Type]:
        match over.name:
            case "list":
                types = [over.parameters[0]] if len(node.names) == 1 else [INT, over.parameters[0]]
            case "map":
                types = list(over.parameters)
            case "dyn" | "!error!":
                types = [DYN, DYN]
            case _:
                if over.is_parameter:
                    self._fits(over, DYN)
                else:
                    shown = self._shown(over)
                    self._wrong(
                        node.over.at,
                        f"expression of type '{shown}' cannot be range of a comprehension "
                        "(must be list, map, or dynamic)",
                    )
                types = [ERROR, ERROR] if not over.is_parameter else [DYN, DYN]
        return dict(zip(node.names, types, strict=False))

    def _loop_body(self, node: Loop, over: Type, names: dict[str, Type]) -> Type:
        first = names[node.names[0]]
        match node.macro:
            case "all" | "exists":
                self._expect(node.body, BOOL)
                return BOOL
            case "exists_one":
                self._chosen(node, node.body, INT)
                return BOOL
            case "filter":
                self._chosen(node, node.body, list_of(first))
                return list_of(first)
            case "bind":
                return self.of(node.body)
            case "sortBy":
                key = self.of(node.body)
                if over.name == "list":
                    self._sort_keys(node, key)
                return over if over.name == "list" else list_of(DYN)
            case "transformMap" | "transformMapEntry":
                return self._transformed(node, first)
        made = self._fresh()
        if node.condition is not None:
            condition, wanted = self.of(node.condition), list_of(made)
            body = self.of(node.body)
            self._fits(made, body)
            self._as_condition(node, condition, wanted)
            return list_of(body)
        return list_of(self.of(node.body))

    def _sort_keys(self, node: Loop, key: Type) -> None:
        key = self._now(key)
        if key.name not in _SORTABLE and not key.is_parameter:
            shown = signature(
                [list_of(self._shown(node.over.type.parameters[0])), list_of(key)], is_member=True
            )
            self._wrong(
                node.at, f"found no matching overload for '@sortByAssociatedKeys' applied to '{shown}'"
            )

    def _transformed(self, node: Loop, key: Type) -> Type:
        condition = self.of(node.condition) if node.condition is not None else None
        body = self.of(node.body)
        if node.macro == "transformMap":
            made = map_of(key, body)
        else:
            entry = self._now(body)
            if entry.name != "map" and entry.name not in ("dyn", "!error!"):
                shown = f"(map({self._shown(self._fresh())}, dyn), {self._shown(entry)})"
                self._wrong(node.at, f"found no matching overload for 'cel.@mapInsert' applied to '{shown}'")
            made = entry if entry.name == "map" else map_of(DYN, DYN)
        if condition is not None:
            self._as_condition(node, condition, made)
        return made

    def _chosen(self, node: Loop, part: Node, made: Type) -> None:
        self._as_condition(node, self.of(part), made)

    def _as_condition(self, node: Loop, given: Type, made: Type) -> None:
        """The macro puts the condition before `? :`; so do its errors."""
        if not self._fits(BOOL, given):
            shown = ", ".join(str(self._shown(part)) for part in (given, made, made))
            self._wrong(node.at, f"found no matching overload for '_?_:_' applied to '({shown})'")

    def _into_optional(self, node: Loop, over: Type) -> Type:
        inner = DYN
        if over.name == "optional_type":
            inner = over.parameters[0]
        elif over.name not in ("dyn", "!error!"):
            shown = signature([self._shown(over)], is_member=True)
            self._wrong(node.at, f"found no matching overload for 'hasValue' applied to '{shown}'")
        self._scopes.append({node.names[0]: inner})
        body = self._now(self.of(node.body))
        self._scopes.pop()
        if node.macro == "optMap":
            return optional_of(body)
        return body if body.name == "optional_type" else optional_of(DYN)


_SORTABLE = frozenset(
    {"int", "uint", "double", "bool", "string", "bytes", "dyn", "!error!"}
    | {"google.protobuf.Timestamp", "google.protobuf.Duration"}
)
_NAMESPACES = frozenset({"cel", "format", "lists", "math", "optional", "sets", "strings", "google"})
_BY_CLASS: Mapping[type, Callable[[_Check, Any], Type]] = {
    Const: _Check._const,
    Name: _Check._name,
    Select: _Check._select,
    Call: _Check._call,
    MakeList: _Check._make_list,
    MakeMap: _Check._make_map,
    MakeObject: _Check._make_object,
    Loop: _Check._loop,
}


def dotted(node: Node) -> str:
    """The name of a chain of plain names, "" for any other expression."""
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Select) and not node.is_optional and not node.is_test:
        before = dotted(node.operand)
        return f"{before}.{node.field}" if before else ""
    return ""


def _renamed(declared: Type, suffix: str) -> Type:
    if declared.is_parameter:
        return Type(declared.name + suffix, is_parameter=True)
    if not declared.is_open:
        return declared
    return Type(declared.name, tuple(_renamed(part, suffix) for part in declared.parameters))


def _same(one: Type, other: Type) -> bool:
    return one == other or (one.name == other.name and one.is_open and other.is_open)
