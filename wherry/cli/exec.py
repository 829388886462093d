"""`wherry exec --user`: a command in a container as another user than the container's own.

The API, and so kubectl, has no such thing. runc has: it is given the user, and everything else is as the
container was made. (`ctr tasks exec --user` would mount the container's file system a second time to read
its /etc/passwd, and the kernel lets nothing be made any more in what is then mounted twice.)
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from wherry.cli.asking import Kubeconfig, Namespace, pod_names
from wherry.cli.entering import NAMESPACE, find_entry
from wherry.cli.failures import FAILED, MISSING_PROGRAM, USAGE, Failure
from wherry.cli.options import Name
from wherry.cli.terminal import tell
from wherry.cli.users import NoSuchUser, User, find_user

USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?")
PROGRAM = "runc"
NO_TERMINAL = "Unable to use a TTY - input is not a terminal or the right kind of file"
"""kubectl's words."""


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
            f"{PROGRAM} is not installed; it runs containers (Debian: apt-get install runc)",
            MISSING_PROGRAM,
        )
    entry = find_entry(pod, container, namespace or "default", name, kubeconfig, "exec --user")
    if tty and not os.isatty(0):
        tell(NO_TERMINAL)
        tty = False
    try:
        with entry.inside() as inside:
            who = find_user(inside.root, user)
    except NoSuchUser as error:
        raise Failure(f"{entry.key}: {error}", FAILED) from None
    state = entry.node.containerd.runc / NAMESPACE
    arguments = runc_arguments(state, entry.container_id, who, command or (), tty=tty)
    if not stdin and not tty:
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.close(nowhere)
    sys.stdout.flush()
    os.execv(program, [PROGRAM, *arguments])  # noqa: S606 - becomes runc, no shell


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


def runc_arguments(
    state: Path, container_id: str, user: User, command: Sequence[str], *, tty: bool
) -> list[str]:
    """What `runc` is called with. What it complains of comes in one plain line, as its log goes nowhere."""
    groups = [word for gid in user.groups for word in ("--additional-gids", str(gid))]
    return [
        *("--root", str(state), "--log", os.devnull, "exec", "--user", f"{user.uid}:{user.gid}"),
        *groups,
        *["--tty"] * tty,
        container_id,
        *command,
    ]
