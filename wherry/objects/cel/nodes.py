"""The tree of an expression. Every node knows where in the source it stands (`at`, in characters)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from wherry.objects.cel.types import DYN, Type


@dataclass(slots=True, eq=False)
class Node:
    """Any part of an expression; the checker fills in its type."""

    at: int
    type: Type = field(default=DYN, init=False)


@dataclass(slots=True, eq=False)
class Const(Node):
    """A literal."""

    value: Any


@dataclass(slots=True, eq=False)
class Name(Node):
    """A variable or type."""

    name: str


@dataclass(slots=True, eq=False)
class Select(Node):
    """`operand.field`, `operand.?field`, `has(operand.field)`."""

    operand: Node
    field: str
    is_optional: bool = False
    is_test: bool = False
    name_at: int = 0


@dataclass(slots=True, eq=False)
class Call(Node):
    """A function, method or operator called; of methods the first argument is the receiver."""

    function: str
    arguments: list[Node]
    is_member: bool = False
    overloads: list[Any] = field(default_factory=list, init=False)


@dataclass(slots=True, eq=False)
class MakeList(Node):
    """`[a, ?b]`."""

    items: list[Node]
    optional: frozenset[int]


@dataclass(slots=True, eq=False)
class MakeMap(Node):
    """`{a: b, ?c: d}`."""

    entries: list[tuple[Node, Node, bool]]


@dataclass(slots=True, eq=False)
class MakeObject(Node):
    """`Kind{field: value}`."""

    name: str
    entries: list[tuple[str, Node, bool, int]]


@dataclass(slots=True, eq=False)
class Loop(Node):
    """A macro that binds names while it goes through a list or map, or into an optional value."""

    macro: str
    over: Node
    names: list[str]
    condition: Node | None
    body: Node
    name_at: int = 0


def below(node: Node) -> list[Node]:
    """The nodes right below."""
    match node:
        case Select():
            return [node.operand]
        case Call():
            return node.arguments
        case MakeList():
            return node.items
        case MakeMap():
            return [part for key, value, _ in node.entries for part in (key, value)]
        case MakeObject():
            return [value for _, value, _, _ in node.entries]
        case Loop():
            return [part for part in (node.over, node.condition, node.body) if part is not None]
    return []


def operands_first(node: Node) -> list[Node]:
    """The left operands of a chain of operators, innermost first, so that long chains need no deep calls."""
    chain: list[Node] = []
    while isinstance(node, Call) and node.function in _CHAINED:
        node = node.arguments[0]
        if isinstance(node, Call) and node.function in _CHAINED:
            chain.append(node)
    return chain[::-1]


_CHAINED = frozenset(f"_{sign}_" for sign in "+-*/%")


def everything(tree: Node) -> Iterator[Node]:
    """All nodes of a tree."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        waiting.extend(below(node))
        yield node
