"""The `wherry` command: every subcommand, named in one place.

Whatever goes wrong ends in one line on standard error and an exit code (`failures`); a traceback is
a bug. Each command's module is small, what it does lies in `wherry.cluster`.
"""

from __future__ import annotations

import os
import sys

import typer

from wherry.cli import components
from wherry.cli.completion import completion, is_completion
from wherry.cli.down import delete, down, stop
from wherry.cli.explain import explain
from wherry.cli.failures import FAILED, INTERRUPTED, NOT_PERMITTED, Failure
from wherry.cli.image import image
from wherry.cli.kubeconfig import kubeconfig
from wherry.cli.kubectl import become_kubectl, kubectl
from wherry.cli.list import list_
from wherry.cli.logs import logs
from wherry.cli.processes import agent, server
from wherry.cli.start import start
from wherry.cli.status import status
from wherry.cli.terminal import complain, open_what_is_closed, results_written
from wherry.cli.testing import envtest_assets, serve_tests
from wherry.cli.up import up
from wherry.cli.version import version, wherry_
from wherry.cluster.advice import as_root
from wherry.cluster.lifecycle import EndFailed
from wherry.cluster.settings import unknown_variables

HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    name="wherry",
    context_settings=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.callback()(wherry_)
for command in (up, status, stop, start, down, delete, kubeconfig, logs, explain, completion, version):
    app.command()(command)
for command in (server, agent):
    app.command()(command)
app.command("list")(list_)
app.command("test-server")(serve_tests)
app.command("envtest-assets")(envtest_assets)
app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": ["--wherry-help"],
    }
)(kubectl)
app.add_typer(image, name="image")
components.register(app)


def main() -> None:
    """Run the command line; ends the process with a documented exit code."""
    open_what_is_closed()
    try:
        with results_written():
            _run()
    except Failure as failure:
        complain(str(failure))
        sys.exit(failure.code)
    except EndFailed as error:
        complain(f"not everything of the cluster is gone: {error}; mend that, then run it again")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        complain("interrupted")
        sys.exit(INTERRUPTED)
    except PermissionError as error:
        complain(f"{error.filename}: permission denied; run it again {as_root()}")
        sys.exit(NOT_PERMITTED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}")
        sys.exit(FAILED)


def _run() -> None:
    if not is_completion():
        for name, near in unknown_variables(os.environ).items():
            hint = f"; did you mean {near}?" if near else "; docs/cli.md lists those there are"
            complain(f"warning: {name} is set, but there is no such variable{hint}")
    if sys.argv[1:2] == ["kubectl"] and sys.argv[2:3] != ["--wherry-help"]:
        become_kubectl(sys.argv[2:])  # past click, which would take the "--" of `exec POD -- ls`
    try:
        app(prog_name="wherry")
    except SystemExit as ended:
        if ended.code == INTERRUPTED:  # which typer makes of a Ctrl-C, without a word
            raise KeyboardInterrupt from None
        raise


if __name__ == "__main__":
    main()
