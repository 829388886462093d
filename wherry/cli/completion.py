"""`wherry completion`: a script for the shell, and the answers the script asks for.

The script runs `wherry` with a variable set and the words typed so far in others; what it prints is offered.
"""

from __future__ import annotations

from typing import Annotated

import typer

from wherry.cli.failures import USAGE, Failure
from wherry.cli.options import one_that_begins
from wherry.cli.terminal import COMPLETING, say

SHELLS = ("bash", "zsh", "fish")


Shell = Annotated[str, typer.Argument(help="bash, zsh or fish.", autocompletion=one_that_begins(SHELLS))]


def completion(shell: Shell) -> None:
    """Print a script that completes commands in a shell.

    Examples:

      source <(wherry completion bash)

      wherry completion zsh > "${fpath[1]}/_wherry"

      wherry completion fish > ~/.config/fish/completions/wherry.fish
    """
    from typer._completion_shared import get_completion_script

    if shell not in SHELLS:
        raise Failure(f"no completion for {shell!r}; use bash, zsh or fish", USAGE)
    say(get_completion_script(prog_name="wherry", complete_var=COMPLETING, shell=shell))


def answer_shells() -> None:
    """Make the command able to answer a completion script.

    Typer makes the shells known only where it has its own `--install-completion`, which we do not offer: it
    would write into the user's start-up files.
    """
    from typer._completion_classes import completion_init

    completion_init()
