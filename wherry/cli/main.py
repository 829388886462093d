"""The `wherry` command: every subcommand, named in one place.

Whatever goes wrong ends in one line on standard error and an exit code (`failures`); a traceback is
a bug. Each command's module is small, what it does lies in `wherry.cluster`.
"""

from __future__ import annotations

import sys

import typer

from wherry.cli.down import delete, down, stop
from wherry.cli.failures import FAILED, Failure
from wherry.cli.image import image
from wherry.cli.kubeconfig import kubeconfig
from wherry.cli.kubectl import become_kubectl, kubectl
from wherry.cli.list import list_
from wherry.cli.logs import logs
from wherry.cli.processes import agent, server
from wherry.cli.start import start
from wherry.cli.status import status
from wherry.cli.terminal import complain
from wherry.cli.testing import envtest_assets, serve_tests
from wherry.cli.up import up
from wherry.cli.version import version, wherry_
from wherry.cluster.lifecycle import EndFailed

app = typer.Typer(
    name="wherry",
    help="Kubernetes, whole, in Python: a real cluster on this machine.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.callback()(wherry_)
for command in (up, down, stop, start, status, delete, kubeconfig, logs, server, agent, version):
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


@app.command()
def completion(shell: str = typer.Argument(help="bash, zsh or fish.")) -> None:
    """Print a completion script.

    Example:

      source <(wherry completion bash)
    """
    from typer._completion_shared import get_completion_script

    if shell not in ("bash", "zsh", "fish"):
        raise Failure(f"no completion for {shell!r}; use bash, zsh or fish", 2)
    sys.stdout.write(
        get_completion_script(prog_name="wherry", complete_var="_WHERRY_COMPLETE", shell=shell) + "\n"
    )


def main() -> None:
    """Run the command line; ends the process with a documented exit code."""
    try:
        if sys.argv[1:2] == ["kubectl"] and sys.argv[2:3] != ["--wherry-help"]:
            become_kubectl(sys.argv[2:])  # past click, which would take the "--" of `exec POD -- ls`
        app()
    except Failure as failure:
        complain(str(failure))
        sys.exit(failure.code)
    except EndFailed as error:
        complain(f"not everything of the cluster is gone: {error}; mend that, then run it again")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        complain("interrupted")
        sys.exit(130)
    except PermissionError as error:
        complain(f"{error.filename}: permission denied; run it again with sudo")
        sys.exit(77)


if __name__ == "__main__":
    main()
