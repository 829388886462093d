"""What a template was read into: nodes that `template` renders and `parser` makes.

Source: Go's text/template/parse/node.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    value: Any


@dataclass(frozen=True, slots=True)
class Dot:
    """The value the template stands on."""


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Path:
    """Fields of a value, one inside the other."""

    base: Operand
    fields: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Command:
    """A value, or a function (the first operand) and its arguments."""

    operands: tuple[Operand, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each given the value of the one before as last argument.

    `variables` take the value; `declares` tells `:=` from `=`.
    """

    commands: tuple[Command, ...]
    variables: tuple[str, ...]
    declares: bool
    line: int


Operand: TypeAlias = "Literal | Dot | Variable | Function | Path | Pipeline"


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An action whose value is printed, unless it sets a variable."""

    pipeline: Pipeline


@dataclass(slots=True)
class Branch:
    """`if`, `with` or `range`."""

    kind: str
    pipeline: Pipeline
    body: list[Node] = field(default_factory=list)
    otherwise: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Call:
    """`template "name" pipeline`."""

    name: str
    pipeline: Pipeline | None
    line: int


@dataclass(frozen=True, slots=True)
class Jump:
    """`break` or `continue`."""

    kind: str


Node: TypeAlias = "Text | Shown | Branch | Call | Jump"
