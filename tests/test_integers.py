"""Texts are read as numbers in `kit/integers` and nowhere else.

Held by a walk over the sources that knows of each function which of its names are texts: parameters that say
so, what came of methods of texts and of patterns, and parts of these.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import wherry

ROOT = Path(wherry.__file__).parent
READER = "kit/integers.py"
KERNEL = "the kernel wrote it"
OWN = "whoever runs the command wrote it, and is told of any ValueError"
BOUNDED = "a pattern or a check before it lets a few ASCII digits through"
OURS = "it is a text of our own"
EXCEPTIONS = {
    "apiserver/paths.py": OURS,
    "client/events.py": OURS,
    "kit/memory.py": KERNEL,
    "kit/processes.py": KERNEL,
    "kit/trees.py": KERNEL,
    "kubelet/cgroups.py": KERNEL,
    "kubelet/eviction/usage.py": KERNEL,
    "kubelet/machine.py": KERNEL,
    "kubelet/server/cgroup_usage.py": KERNEL,
    "kubelet/server/figures.py": KERNEL,
    "kubelet/server/network_usage.py": KERNEL,
    "kubelet/server/node_usage.py": KERNEL,
    "kubelet/runtimes/containerd/facts.py": KERNEL,
    "kit/mounts.py": KERNEL,
    "hollow/expressions.py": OWN,
    "network/routes.py": KERNEL,
    "objects/gotemplate/functions.py": OWN,
    "objects/gotemplate/parser.py": OWN,
    "objects/gotemplate/printing.py": OWN,
    "kit/yaml_reader.py": BOUNDED,
    "objects/cel/formatting.py": BOUNDED,
    "objects/cel/library/quantities.py": BOUNDED,
    "objects/cel/library/versions.py": BOUNDED,
    "objects/cel/literals.py": BOUNDED,
    "objects/cel/parser.py": BOUNDED,
    "objects/cel/times.py": BOUNDED,
    "objects/cel/values.py": BOUNDED,
    "objects/go_addresses.py": BOUNDED,
    "objects/go_urls.py": BOUNDED,
    "objects/cron.py": BOUNDED,
    "objects/go_durations.py": BOUNDED,
    "objects/go_times.py": BOUNDED,
    "objects/patches/json_patch.py": BOUNDED,
    "objects/quantity.py": BOUNDED,
    "objects/structural/formats.py": BOUNDED,
}
SUSPECT = re.compile(r"\bint\(|isdigit|isdecimal|isnumeric")
OF_TEXTS = {
    "casefold", "decode", "findall", "format", "fullmatch", "group", "groups", "join", "lower", "lstrip",
    "match", "partition", "read_text", "removeprefix", "removesuffix", "replace", "rpartition", "rsplit",
    "rstrip", "search", "split", "splitlines", "strip", "upper",
}  # fmt: skip
TEXTUAL_FIELDS = frozenset({"resourceVersion"})


def is_text(node: ast.expr, names: frozenset[str]) -> bool:
    """Whether the expression is a text, or a part of one, as far as can be seen."""
    match node:
        case ast.Name(id=name):
            return name in names
        case ast.Constant(value=value):
            return isinstance(value, str)
        case ast.JoinedStr():
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"))):
            return False
        case ast.Call(func=ast.Attribute(attr=attr), args=args):
            if attr == "get" and args and isinstance(args[0], ast.Constant):
                return args[0].value in TEXTUAL_FIELDS or any(is_text(arg, names) for arg in args[1:])
            return attr in OF_TEXTS
        case ast.Call(func=ast.Name(id=name)):
            return name in ("str", "revision_of", "go_text")
        case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
            return key in TEXTUAL_FIELDS
        case ast.Subscript(value=value):
            return is_text(value, names)
        case ast.BoolOp(values=values):
            return any(is_text(value, names) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return is_text(left, names) or is_text(right, names)
        case ast.IfExp(body=body, orelse=orelse):
            return is_text(body, names) or is_text(orelse, names)
    return False


def targets(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            for element in elements:
                yield from targets(element)
        case ast.Starred(value=value):
            yield from targets(value)


def text_names(function: ast.AST) -> frozenset[str]:
    """The names in a function that are texts, patterns' matches, or lists of texts."""
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.arg) and node.annotation is not None:
            said = ast.unparse(node.annotation)
            if said.split(" | ")[0].strip("'\"") in ("str", "re.Match[str]", "list[str]", "Sequence[str]"):
                found.add(node.arg)
    while True:
        before = len(found)
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Tuple(elts=elements)], value=ast.Tuple(elts=values)):
                    pairs = list(zip(elements, values, strict=False))
                case ast.Assign(targets=[target], value=value):
                    pairs = [(target, value)]
                case ast.NamedExpr(target=target, value=value) | ast.For(target=target, iter=value):
                    pairs = [(target, value)]
                case ast.comprehension(target=target, iter=value):
                    pairs = [(target, value)]
                case _:
                    continue
            for target, value in pairs:
                if is_text(value, frozenset(found)):
                    found.update(targets(target))
        if len(found) == before:
            return frozenset(found)


def faults(source: str) -> list[str]:
    """Where texts are read as numbers, or asked for their digits: line and expression."""
    found: list[str] = []
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in [*functions, tree]:
        if not SUSPECT.search(ast.unparse(function)):
            continue
        names = text_names(function)
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Name(id="int"), args=[_, _]):
                    found.append(f"{node.lineno}: {ast.unparse(node)}")
                case ast.Call(func=ast.Name(id="int"), args=[value]) if is_text(value, names):
                    found.append(f"{node.lineno}: {ast.unparse(node)}")
                case ast.Call(func=ast.Attribute(attr="isdigit" | "isdecimal" | "isnumeric")):
                    found.append(f"{node.lineno}: {ast.unparse(node)}")
                case ast.Attribute(value=ast.Name(id="str"), attr="isdigit" | "isdecimal" | "isnumeric"):
                    found.append(f"{node.lineno}: {ast.unparse(node)}")
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(
    "fault",
    [
        "def f(text: str): return int(text)",
        "def f(text: str | None): return int(text or 0)",
        "def f(found: re.Match[str]): return int(found[1])",
        "def f(x): return int(x.split(',')[0])",
        "def f(x):\n a, _, b = x.partition('/')\n return int(b)",
        "def f(x):\n if found := P.fullmatch(x): return int(found[2])",
        "def f(x): return [int(part) for part in x.split('.')]",
        "def f(meta): return int(meta.get('resourceVersion') or 0)",
        "def f(x): return int(x, 16)",
        "def f(x): return x.isdigit()",
        "def f(x): return all(map(str.isdecimal, x))",
        "def f(a): return int(a.get('x', '0'))",
    ],
)
def test_the_walk_sees(fault: str) -> None:
    assert faults(fault)


@pytest.mark.parametrize(
    "fine",
    [
        "def f(spec): return int(spec.get('replicas') or 0)",
        "def f(spec): return int(spec['replicas'])",
        "def f(seconds: float): return int(seconds)",
        "def f(a, b): return int(a < b)",
    ],
)
def test_the_walk_lets_numbers_be(fine: str) -> None:
    assert not faults(fine)


def test_texts_are_read_in_one_place() -> None:
    found = {
        name: wrong
        for path in sorted(ROOT.rglob("*.py"))
        if (name := path.relative_to(ROOT).as_posix()) != READER
        if SUSPECT.search(source := path.read_text()) and (wrong := faults(source))
    }
    assert {name: wrong for name, wrong in found.items() if name not in EXCEPTIONS} == {}
    assert sorted(set(EXCEPTIONS) - set(found)) == [], "exceptions that are none any more"
