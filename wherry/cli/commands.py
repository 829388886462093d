"""Every subcommand of `wherry`, named in one place: `app`. Each command's module is small."""

from __future__ import annotations

from typing import Annotated

import typer

from wherry.cli import components
from wherry.cli.completion import completion
from wherry.cli.cp import cp
from wherry.cli.down import delete, down, stop
from wherry.cli.exec import exec_
from wherry.cli.explain import explain
from wherry.cli.image import image
from wherry.cli.kubeconfig import kubeconfig
from wherry.cli.kubectl import become_kubectl, completions
from wherry.cli.list import list_
from wherry.cli.logs import logs
from wherry.cli.options import cluster_names, with_value_names
from wherry.cli.processes import agent, server
from wherry.cli.start import start
from wherry.cli.status import status
from wherry.cli.testing import envtest_assets, serve_tests
from wherry.cli.up import up
from wherry.cli.version import version, wherry_
from wherry.cli.why import why


def _after_kubectl(context: typer.Context, incomplete: str) -> list[str]:
    words = context.params.get("words") or ()
    return cluster_names(incomplete) if list(words) == ["--name"] else completions(words, incomplete)


Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ARGUMENT]...", help="kubectl's own.", autocompletion=_after_kubectl),
]


def kubectl(words: Words = None) -> None:
    """Run a real kubectl against the cluster.

    --name, given first, chooses another cluster than the default one. The kubectl is the one that
    $WHERRY_KUBECTL names, else the one that `make tools` fetched, else the one on PATH.

    Examples:

      wherry kubectl get pods -A

      wherry kubectl --name dev apply -f app.yaml
    """
    become_kubectl(words or ())


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
for command in (up, status, stop, start, down, delete, kubeconfig, logs, explain, why, completion, version):
    app.command()(command)
for command in (server, agent):
    app.command()(command)
app.command("list")(list_)
app.command("exec")(exec_)
app.command("cp")(cp)
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
for group in (app, image):
    for registered in group.registered_commands:
        if registered.callback is not None:
            registered.callback = with_value_names(registered.callback)
components.register(app)
