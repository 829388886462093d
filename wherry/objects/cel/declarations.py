"""Functions as they are declared: name, types, what to call, what a call costs.

A library declares its functions in the words of the language definition:

    declare("charAt", "string.(int) -> string", char_at)
    declare("size", "(list(A)) -> int", len)

Where the argument types before the dot stand alone, the function is a method.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.objects.cel.types import Type

Cost = Callable[[Sequence[Any]], int]
"""What a call costs, by its arguments; it is paid before the call."""

_ALIASES = {
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
    "null": "null_type",
    "quantity": "kubernetes.Quantity",
    "url": "kubernetes.URL",
    "ip": "net.IP",
    "cidr": "net.CIDR",
    "semver": "kubernetes.Semver",
    "format": "kubernetes.NamedFormat",
    "authorizer": "kubernetes.authorization.Authorizer",
    "pathCheck": "kubernetes.authorization.PathCheck",
    "groupCheck": "kubernetes.authorization.GroupCheck",
    "resourceCheck": "kubernetes.authorization.ResourceCheck",
    "decision": "kubernetes.authorization.Decision",
}
_FIELDS = {"authorizer": {"requestResource": Type("kubernetes.authorization.ResourceCheck")}.get}
_WORD = re.compile(r"[A-Za-z_][\w.]*|[(),]", re.ASCII)


def type_named(text: str) -> Type:
    """The type a text spells: `list(string)`, `map(A, B)`, `timestamp`."""
    words = _WORD.findall(text)
    found, end = _read(words, 0)
    if end != len(words):
        raise ValueError(f"no type: {text}")
    return found


def _read(words: list[str], at: int) -> tuple[Type, int]:
    name = words[at]
    at += 1
    parameters: list[Type] = []
    if at < len(words) and words[at] == "(":
        while words[at] != ")":
            part, at = _read(words, at + 1)
            parameters.append(part)
        at += 1
    if len(name) == 1 and name.isupper():
        return Type(name, is_parameter=True), at
    return Type(_ALIASES.get(name, name), tuple(parameters), field=_FIELDS.get(name)), at


@dataclass(slots=True, eq=False)
class Overload:
    """One way to call a function. Without `call` the evaluation is given what to call."""

    function: str
    is_member: bool
    arguments: list[Type]
    result: Type
    call: Callable[..., Any] | None
    cost: Cost | None
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.kinds = tuple(
            "" if part.is_parameter or part.name == "dyn" else part.name for part in self.arguments
        )

    def takes(self, kinds: Sequence[str]) -> bool:
        """Whether it can be called with arguments of these kinds."""
        return len(kinds) == len(self.kinds) and all(
            not wanted or wanted == given for wanted, given in zip(self.kinds, kinds, strict=True)
        )


FUNCTIONS: dict[str, list[Overload]] = {}
"""All functions, by name."""
_SIGNATURE = re.compile(r"([\w.]+(?:\(.*?\))?\.)?\((.*)\) -> (.+)")


def declare(name: str, signature: str, call: Callable[..., Any] | None, cost: Cost | None = None) -> None:
    """Declare one way to call a function; without `cost` a call costs 1."""
    head, _, result = signature.rpartition(" -> ")
    receiver, arguments = _split(head)
    types = [type_named(text) for text in ([receiver] if receiver else []) + arguments]
    overload = Overload(name, bool(receiver), types, type_named(result), call, cost)
    FUNCTIONS.setdefault(name, []).append(overload)


def _split(head: str) -> tuple[str, list[str]]:
    """The receiver's type, "" without one, and the other arguments' types."""
    depth = 0
    for at in range(len(head) - 1, -1, -1):
        depth += (head[at] == ")") - (head[at] == "(")
        if not depth:
            break
    receiver, inside = head[:at].rstrip("."), head[at + 1 : -1]
    parts: list[str] = []
    depth = start = 0
    for place, character in enumerate(inside):
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append(inside[start:place].strip())
            start = place + 1
    if inside.strip():
        parts.append(inside[start:].strip())
    return receiver, parts
