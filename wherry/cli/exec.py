"""`wherry exec --user`: a command in a container as another user than the container's own.

The API, and so kubectl, has no such thing. containerd has: `ctr tasks exec` is given the
user, and everything else as the container was made with.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from wherry.cli.asking import Kubeconfig, Namespace, pod_names
from wherry.cli.entering import NAMESPACE, find_entry
from wherry.cli.failures import MISSING_PROGRAM, USAGE, Failure
from wherry.cli.options import Name

USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?")
PROGRAM = "ctr"


def exec_(
    pod: Annotated[str, typer.Argument(help="The pod.", autocompletion=pod_names)] = "",
    command: Annotated[
        list[str] | None, typer.Argument(metavar="-- COMMAND [ARGUMENT...]", help="What to run.")
    ] = None,
    user: Annotated[
        str, typer.Option("--user", "-u", help="UID, UID:GID, or names of the container's /etc/passwd.")
    ] = "",
    container: Annotated[
        str, typer.Option("--container", "-c", help="The container; else the default one.")
    ] = "",
    stdin: Annotated[bool, typer.Option("--stdin", "-i", help="Pass standard input on.")] = False,
    tty: Annotated[bool, typer.Option("--tty", "-t", help="On a terminal.")] = False,
    namespace: Namespace = "",
    name: Name = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Run a command in a container as another user.

    For this machine's root, on nodes of this machine, and where the API would allow `kubectl exec`. The exit
    code is the command's. As the container's own user: wherry kubectl exec.

    Examples:

      wherry exec --user 0 web-0 -- id

      wherry exec -it --user 1000:1000 web-0 -c app -n shop -- sh
    """
    check(pod, command or (), user)
    program = shutil.which(PROGRAM)
    if program is None:
        raise Failure(
            f"{PROGRAM} is not installed; it comes with containerd (Debian: apt-get install containerd)",
            MISSING_PROGRAM,
        )
    entry = find_entry(pod, container, namespace or "default", name, kubeconfig, "exec --user")
    arguments = ctr_arguments(entry.node.containerd.socket, entry.container_id, user, command or (), tty=tty)
    if not stdin and not tty:
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.close(nowhere)
    sys.stdout.flush()
    os.execv(program, [PROGRAM, *arguments])  # noqa: S606 - becomes ctr, no shell


def check(pod: str, command: Sequence[str], user: str) -> None:
    """Raises Failure for what cannot be meant."""
    if not pod or not command:
        raise Failure("say where and what: wherry exec --user UID POD -- COMMAND", USAGE)
    if not user:
        raise Failure(
            f"say as whom with --user; as the container's own user: wherry kubectl exec {pod} -- "
            f"{command[0]}",
            USAGE,
        )
    if not USER.fullmatch(user):
        raise Failure(f"--user {user}: not a user; use UID, UID:GID, or names such as www-data", USAGE)


def ctr_arguments(
    socket: Path, container_id: str, user: str, command: Sequence[str], *, tty: bool
) -> list[str]:
    """What `ctr` is called with."""
    own = ["tasks", "exec", "--exec-id", f"wherry-{secrets.token_hex(8)}", "--user", user]
    return [
        "--address",
        str(socket),
        "--namespace",
        NAMESPACE,
        *own,
        *["--tty"] * tty,
        container_id,
        *command,
    ]
