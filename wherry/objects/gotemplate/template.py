"""Rendering a template's tree. Source: Go's text/template/exec.go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from wherry.objects.gotemplate.errors import FunctionError, TemplateError
from wherry.objects.gotemplate.functions import FUNCTIONS
from wherry.objects.gotemplate.parser import parse
from wherry.objects.gotemplate.printing import shown
from wherry.objects.gotemplate.sizes import MOST_CHARACTERS, checked
from wherry.objects.gotemplate.tree import (
    Branch,
    Call,
    Command,
    Dot,
    Function,
    Jump,
    Literal,
    Node,
    Operand,
    Path,
    Pipeline,
    Shown,
    Text,
    Variable,
)

Functions: TypeAlias = Mapping[str, Callable[..., Any]]
MOST_CALLS = 100
"""How deep templates may call each other; Go allows 100,000, which Python's stack does not."""
_LAZY = ("and", "or")
_ABSENT = object()


def compile_template(name: str, source: str, extra: Collection[str] = ()) -> Template:
    """Read a template; `extra` names the functions that `render` will be given besides the common ones.

    Raises TemplateError, naming template and line.
    """
    known = {*FUNCTIONS, *extra, *_LAZY}
    return Template(name, parse(name, source, known))


class Template:
    """A compiled template, to be rendered as often as one likes."""

    def __init__(self, name: str, trees: Mapping[str, list[Node]]) -> None:
        self.name = name
        self._trees = trees

    def render(self, data: Any, functions: Functions | None = None) -> str:
        """The text for `data`, a JSON value, which is not changed. Raises TemplateError."""
        run = _Run(self.name, self._trees, functions or {}, data)
        run.walk(self._trees[""], data)
        return "".join(run.out)


class _Stopped(Exception):
    """`break` or `continue` on its way to the `range` it belongs to."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class _Run:
    """One rendering: what was written, and the variables in sight, innermost last."""

    def __init__(self, name: str, trees: Mapping[str, list[Node]], functions: Functions, data: Any) -> None:
        self.out: list[str] = []
        self._size = 0
        self._name = name
        self._trees = trees
        self._functions = functions
        self._variables: list[list[Any]] = [["$", data]]
        self._calls = 0

    def walk(self, nodes: list[Node], dot: Any) -> None:
        """Write nodes, one after the other."""
        for node in nodes:
            if isinstance(node, Text):
                self._write(node.text, 0)
            elif isinstance(node, Shown):
                value = self._pipeline(node.pipeline, dot)
                if not node.pipeline.variables:
                    self._write(shown(value), node.pipeline.line)
            elif isinstance(node, Branch):
                depth = len(self._variables)
                if node.kind == "range":
                    self._range(node, dot)
                else:
                    self._choose(node, dot)
                del self._variables[depth:]
            elif isinstance(node, Call):
                self._call(node, dot)
            elif isinstance(node, Jump):
                raise _Stopped(node.kind)

    def _write(self, text: str, line: int) -> None:
        self.out.append(text)
        self._size += len(text)
        if self._size > MOST_CHARACTERS:
            raise self._error(line, f"the text grows past {MOST_CHARACTERS} characters")

    def _error(self, line: int, said: str) -> TemplateError:
        return TemplateError(f"template: {self._name}:{line}: {said}")

    def _choose(self, node: Branch, dot: Any) -> None:
        value = self._pipeline(node.pipeline, dot)
        if value:
            self.walk(node.body, value if node.kind == "with" else dot)
        else:
            self.walk(node.otherwise, dot)

    def _range(self, node: Branch, dot: Any) -> None:
        names = node.pipeline.variables
        value = self._pipeline(node.pipeline, dot, sets=False)
        pairs = self._pairs(value, node.pipeline.line)
        if not pairs:
            self.walk(node.otherwise, dot)
            return
        depth = len(self._variables)
        for key, item in pairs:
            if names:
                values = (key, item) if len(names) == 2 else (item,)
                for name, own in zip(names, values, strict=True):
                    self._set(name, own, node.pipeline.declares)
            try:
                self.walk(node.body, item)
            except _Stopped as stopped:
                if stopped.kind == "break":
                    break
            finally:
                del self._variables[depth:]

    def _pairs(self, value: Any, line: int) -> list[tuple[Any, Any]]:
        if value is None:
            return []
        if isinstance(value, list | tuple):
            return list(enumerate(value))
        if isinstance(value, dict):
            return sorted(value.items())
        if isinstance(value, int) and not isinstance(value, bool):
            if value > MOST_CHARACTERS:
                raise self._error(line, f"range over {value} is too long")
            return [(index, index) for index in range(value)]
        raise self._error(line, f"range can't iterate over {shown(value)}")

    def _call(self, node: Call, dot: Any) -> None:
        tree = self._trees.get(node.name)
        if tree is None:
            raise self._error(node.line, f'template "{node.name}" not defined')
        data = self._pipeline(node.pipeline, dot) if node.pipeline is not None else None
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise self._error(node.line, "exceeded maximum template depth")
        outer, self._variables = self._variables, [["$", data]]
        self.walk(tree, data)
        self._variables = outer
        self._calls -= 1

    def _pipeline(self, pipeline: Pipeline, dot: Any, *, sets: bool = True) -> Any:
        value: Any = _ABSENT
        for command in pipeline.commands:
            value = self._command(command, dot, value)
        if sets and pipeline.variables:
            self._set(pipeline.variables[0], value, pipeline.declares)
        return value

    def _set(self, name: str, value: Any, declares: bool) -> None:
        if declares:
            self._variables.append([name, value])
            return
        for variable in reversed(self._variables):
            if variable[0] == name:
                variable[1] = value
                return

    def _command(self, command: Command, dot: Any, final: Any) -> Any:
        first, *rest = command.operands
        if isinstance(first, Function):
            return self._function(first, rest, dot, final)
        if rest or final is not _ABSENT:
            raise self._error(command.line, f"can't give argument to non-function {_named(first)}")
        return self._value(first, dot)

    def _function(self, function: Function, operands: list[Operand], dot: Any, final: Any) -> Any:
        name = function.name
        if name in _LAZY:
            return self._lazy(name, operands, dot, final, function.line)
        arguments = [self._value(operand, dot) for operand in operands]
        if final is not _ABSENT:
            arguments.append(final)
        called = self._functions.get(name) or FUNCTIONS[name]
        try:
            return checked(called(*arguments))
        except (FunctionError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise self._error(function.line, f"error calling {name}: {error}") from error

    def _lazy(self, name: str, operands: list[Operand], dot: Any, final: Any, line: int) -> Any:
        """`and` and `or` look no further than the argument that decides."""
        value: Any = _ABSENT
        for operand in operands:
            value = self._value(operand, dot)
            if bool(value) == (name == "or"):
                return value
        if final is not _ABSENT:
            return final
        if value is _ABSENT:
            raise self._error(line, f"wrong number of args for {name}: want at least 1 got 0")
        return value

    def _value(self, operand: Operand, dot: Any) -> Any:
        if isinstance(operand, Path):
            return self._path(operand, dot)
        if isinstance(operand, Literal):
            return operand.value
        if isinstance(operand, Dot):
            return dot
        if isinstance(operand, Variable):
            return next(v[1] for v in reversed(self._variables) if v[0] == operand.name)
        if isinstance(operand, Function):
            return self._function(operand, [], dot, _ABSENT)
        return self._pipeline(operand, dot)

    def _path(self, path: Path, dot: Any) -> Any:
        value = self._value(path.base, dot)
        for name in path.fields:
            if value is None:
                return None
            if not isinstance(value, dict):
                raise self._error(path.line, f"can't evaluate field {name} in {shown(value)}")
            value = value.get(name)
        return value


def _named(operand: Operand) -> str:
    if isinstance(operand, Path):
        base = operand.base.name if isinstance(operand.base, Variable) else ""
        return f"{base}.{'.'.join(operand.fields)}"
    if isinstance(operand, Variable):
        return operand.name
    return shown(operand.value) if isinstance(operand, Literal) else "."
