"""`wherry kubectl`: a real kubectl, pointed at the cluster."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from wherry.cli.failures import MISSING_PROGRAM, NOT_PERMITTED, USAGE, Failure
from wherry.cli.selection import asked, look_for, machine, refuse_stopped, require_existing
from wherry.cli.terminal import say
from wherry.cluster.advice import as_root, command
from wherry.cluster.caller import find_caller
from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.kubeconfig import user_kubeconfig

FETCHED = Path("wherry") / "tools" / "kubectl"


WITHOUT_SERVER = ("completion", "config", "help", "kuberc", "kustomize", "options", "plugin", "version")
"""Commands of kubectl that do without a server."""
WITHOUT_NAME = (
    *("annotate", "api-resources", "apply", "attach", "auth", "cluster-info", "cordon", "cp", "create"),
    *("delete", "describe", "diff", "drain", "edit", "events", "exec", "explain", "get", "label", "logs"),
    *("patch", "port-forward", "proxy", "replace", "rollout", "run", "scale", "set", "taint", "top"),
    *("uncordon", "version", "wait"),
)
"""Commands of kubectl that have no --name of their own, as `expose` has: who gives one means ours."""
COMPLETED_WITHIN_S = 5.0
"""How long somebody who presses Tab waits for kubectl."""
ABOUT_NAME = """\
wherry kubectl [--name NAME] ... runs a real kubectl against a Wherry cluster: `default` (or $WHERRY_NAME)
unless --name is the very first option. Everything after it is kubectl's own.
"""


def become_kubectl(arguments: Sequence[str]) -> NoReturn:
    """Exchange this process for kubectl with `arguments`. Raises Failure when that cannot be."""
    name, rest = split_name(list(arguments))
    _refuse_late_name(rest)
    program = find_kubectl()
    environment = dict(os.environ)
    if not rest or rest[0] in ("-h", "--help"):
        say(ABOUT_NAME)
    else:
        rest = _pointed_at(asked(name).name, rest, environment)
    os.execve(program, ["kubectl", *rest], environment)  # noqa: S606 - becomes kubectl, no shell


def completions(words: Sequence[str], incomplete: str) -> list[str]:
    """What kubectl offers behind these words, asked of the cluster they mean; nothing where it cannot be."""
    import subprocess  # imported here: nothing else of kubectl's needs it

    name, rest = split_name(list(words))
    environment = {**os.environ, "KUBECONFIG": os.devnull}  # a stopped cluster must not be another one
    try:
        program = find_kubectl()
        with suppress(Failure):
            rest = _pointed_at(asked(name).name, rest, environment) if rest else rest
        done = subprocess.run(
            [program, "__complete", *rest, incomplete],
            env=environment,
            capture_output=True,
            text=True,
            timeout=COMPLETED_WITHIN_S,
            check=False,
        )
    except (Failure, OSError, subprocess.TimeoutExpired):
        return []
    # A line for each, with its meaning behind a tab; the last, after a colon, is for the shell.
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if not line.startswith(":")]


def _pointed_at(name: str, arguments: list[str], environment: dict[str, str]) -> list[str]:
    """kubectl's arguments for the cluster `name`; `environment` is changed with them.

    Raises Failure when the cluster cannot be reached.
    """
    try:
        lifecycle = look_for(name)
    except Failure as failure:
        if failure.code != NOT_PERMITTED:
            raise
        # Not root: what `sudo wherry up` left in the user's own kubeconfig has to do.
        context = ClusterConfig(name=name).context
        if not user_kubeconfig(environment, find_caller(environment)).has_context(context):
            merge = command("kubeconfig --merge", name)
            raise Failure(
                f"cluster {name!r} is {machine(name).owner(name)}'s, and your kubeconfig has no context "
                f"{context}; run {as_root()}: {merge}",
                NOT_PERMITTED,
            ) from None
        return ["--context", context, *arguments]
    require_existing(lifecycle)
    if arguments[0] not in WITHOUT_SERVER:
        refuse_stopped(lifecycle)
    environment["KUBECONFIG"] = str(lifecycle.paths.admin_kubeconfig)
    return arguments


def split_name(arguments: list[str]) -> tuple[str | None, list[str]]:
    """Take our own leading `--name X` (or `--name=X`) off kubectl's arguments."""
    if arguments[:1] == ["--name"] and len(arguments) > 1:
        return arguments[1], arguments[2:]
    if arguments and arguments[0].startswith("--name="):
        return arguments[0].removeprefix("--name="), arguments[1:]
    return None, arguments


def _refuse_late_name(arguments: Sequence[str]) -> None:
    """Raises Failure where `--name` stands behind the command that cannot mean it."""
    own = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    late = [at for at, word in enumerate(own) if word == "--name" or word.startswith("--name=")]
    if not late or own[0] not in WITHOUT_NAME:
        return
    taken, left = split_name(own[late[0] :])
    rest = shlex.join([*own[: late[0]], *left, *arguments[len(own) :]])
    raise Failure(f"--name goes right after kubectl: wherry kubectl --name {taken or 'NAME'} {rest}", USAGE)


def find_kubectl() -> str:
    """The path of a kubectl. Raises Failure when there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for candidate in (os.environ.get("WHERRY_KUBECTL"), cache / FETCHED, shutil.which("kubectl")):
        if candidate and Path(candidate).exists():
            return str(candidate)
    raise Failure("no kubectl found; install one, run `make tools`, or set WHERRY_KUBECTL", MISSING_PROGRAM)
