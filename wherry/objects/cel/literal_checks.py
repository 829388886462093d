"""Judge literals by what they are given to: `errors`, as upstream's validators once the types are right."""

from __future__ import annotations

from collections.abc import Iterator

from wherry.objects.cel.errors import CelError
from wherry.objects.cel.formatting import ArgumentError, check_arguments
from wherry.objects.cel.nodes import Call, Const, MakeList, Node, everything
from wherry.objects.cel.times import duration_from, timestamp_from
from wherry.objects.regex import PatternError, compile_pattern


def errors(tree: Node) -> Iterator[tuple[int, str]]:
    """What is wrong with durations, timestamps, patterns and format strings written out."""
    for node in everything(tree):
        if isinstance(node, Call):
            yield from _of_call(node)


def _of_call(node: Call) -> Iterator[tuple[int, str]]:
    match node.function, node.arguments:
        case "duration" | "timestamp", [Const() as argument]:
            try:
                (duration_from if node.function == "duration" else timestamp_from)(argument.value)
            except CelError:
                yield argument.at, f"invalid {node.function} argument"
        case "matches", [_, Const(value=str() as text) as argument] if node.is_member:
            try:
                compile_pattern(text)
            except PatternError:
                yield argument.at, "invalid matches argument"
        case "format", [Const(value=str() as text), MakeList() as listed] if node.is_member:
            yield from _of_format(node, text, listed)


def _of_format(node: Call, template: str, listed: MakeList) -> Iterator[tuple[int, str]]:
    kinds = [_known_kind(item) for item in listed.items]
    try:
        check_arguments(template, kinds)
    except ArgumentError as error:
        yield listed.items[error.index].at, str(error)
    except CelError as error:
        yield node.at, str(error)


def _known_kind(node: Node) -> str:
    name = node.type.name
    return "" if name in ("dyn", "!error!") or node.type.is_parameter else name
