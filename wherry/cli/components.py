"""`wherry apiserver`, `wherry scheduler` and so on: one component alone, with upstream's flags."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

from wherry.cluster.catalog import COMPONENTS, Component, component_called
from wherry.cluster.components import TUNING

AS_THEY_ARE = {"allow_extra_args": True, "ignore_unknown_options": True}
"""What stands on the command line is the component's own to read."""


class ComponentCommand(TyperCommand):
    """A command whose help ends with the component's flags, which are read where they are needed first."""

    def get_help(self, ctx: Any) -> str:  # of click, or of the copy of it that typer has
        """The help of any command, and the flags."""
        from wherry.cluster.alone.flags import flag_lines

        component = component_called(str(self.name))
        flags = importlib.import_module(component.module).FLAGS
        return "\n".join([super().get_help(ctx), "", "Flags:", *flag_lines(flags)])


def register(app: typer.Typer) -> None:
    """Make a command of each component that can run alone."""
    for component in COMPONENTS:
        if component.upstream:
            about = f"Run {component.summary}, like {component.upstream}."
            app.command(
                component.name,
                cls=ComponentCommand,
                context_settings={**AS_THEY_ARE, "help_option_names": ["-h", "--help"]},
                help=f"{about}\n\nExample:\n\n  {component.example}",
            )(_of(component))


def _of(component: Component) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        command = [sys.executable, "-m", component.module, *context.args]
        os.execve(sys.executable, command, {**os.environ, **TUNING})  # noqa: S606 - becomes it, no shell

    return run
