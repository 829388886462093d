"""Asking a cluster's API server on behalf of a command: whom, as whom, and for how long."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from wherry.cli.failures import FAILED, NOT_PERMITTED, USAGE, Failure
from wherry.cli.selection import asked, look_for, refuse_stopped, require_existing
from wherry.cluster.caller import find_caller
from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.kubeconfig import user_kubeconfig

if TYPE_CHECKING:
    from wherry.client.api import Client

T = TypeVar("T")

PATIENCE_S = 30.0
COMPLETION_S = 2.0
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="The pod's namespace.")]
Kubeconfig = Annotated[
    Path | None, typer.Option(help="Whom to ask, instead of one of this machine's clusters.")
]


def access(kubeconfig: Path | None, name: str | None) -> tuple[Path, str]:
    """A kubeconfig, and which of its contexts ("" for the current one). Raises Failure."""
    if kubeconfig is not None:
        return kubeconfig, ""
    cluster = asked(name).name
    try:
        lifecycle = look_for(cluster)
    except Failure as failure:
        own, context = (
            user_kubeconfig(os.environ, find_caller(os.environ)),
            ClusterConfig(name=cluster).context,
        )
        if failure.code == NOT_PERMITTED and own.has_context(context):
            return own.path, context
        raise
    require_existing(lifecycle)
    refuse_stopped(lifecycle)
    return lifecycle.paths.admin_kubeconfig, ""


def ask(at: tuple[Path, str], work: Callable[[Client], Awaitable[T]], patience_s: float = PATIENCE_S) -> T:
    """What comes of `work` with a client of the cluster. Raises Failure, ApiError."""
    from wherry.client.api import Client
    from wherry.cluster.alone.access import read_access
    from wherry.cluster.alone.flags import FlagError

    async def within() -> T:
        try:
            client = Client(read_access(at[0], context_name=at[1]).transport("wherry"))
        except FlagError as error:
            raise Failure(str(error), USAGE) from None
        try:
            async with asyncio.timeout(patience_s):
                return await work(client)
        except TimeoutError:
            raise Failure(f"the API server did not answer within {patience_s:g} s", FAILED) from None
        finally:
            await client.close()

    return asyncio.run(within())


def pod_names(context: typer.Context, incomplete: str) -> list[str]:
    """For completion: nobody wants to hear of errors while they type."""
    from wherry.api.core.pods import PODS

    given = context.params

    async def names(client: Client) -> list[str]:
        listing = await client.list(PODS, given.get("namespace") or "default")
        return [pod["metadata"]["name"] for pod in listing.items]

    with suppress(Exception):
        found = ask(access(given.get("kubeconfig"), given.get("name")), names, COMPLETION_S)
        return [pod for pod in found if pod.startswith(incomplete)]
    return []
