"""`wherry explain`: why a pod is where it is, or nowhere, and where one would go that is not there."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from wherry.api.resource import Resource
from wherry.cli.decisions import in_words
from wherry.cli.failures import FAILED, NOT_PERMITTED, NOT_RUNNING, USAGE, Failure
from wherry.cli.options import Name, Output, check_output, one_that_begins
from wherry.cli.pod_templates import WORKLOADS, template_in, templates_in, workload_called
from wherry.cli.selection import asked, look_for, require_existing
from wherry.cli.terminal import print_json, say
from wherry.cluster.caller import find_caller
from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.kubeconfig import user_kubeconfig
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

PODS = ("pod", "pods", "po")
PATIENCE_S = 30.0


def _pod_names(context: typer.Context, incomplete: str) -> list[str]:
    """For completion: nobody wants to hear of errors while they type."""
    given = context.params
    with suppress(Exception):
        file, name = _access(given.get("kubeconfig"), given.get("name"))
        found = asyncio.run(_names(file, name, given.get("namespace") or "default"))
        return [pod for pod in found if pod.startswith(incomplete)]
    return []


def explain(
    kind: Annotated[
        str,
        typer.Argument(
            help="pod or a workload's kind, or KIND/NAME.",
            autocompletion=one_that_begins(("pod", *WORKLOADS)),
        ),
    ] = "",
    pod: Annotated[
        str, typer.Argument(metavar="NAME", help="The pod or workload.", autocompletion=_pod_names)
    ] = "",
    file: Annotated[
        str,
        typer.Option("--filename", "-f", help="A pod or workload that is not there; - reads it from stdin."),
    ] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="The pod's namespace.")] = "",
    name: Name = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Whom to ask, instead of one of this machine's clusters.")
    ] = None,
    output: Output = "text",
) -> None:
    """Say why the scheduler put a pod where it is, or nowhere.

    Of each node: which plugin filtered it and why, or what each plugin scored. Of a pod that fits nowhere:
    the smallest change that would make it fit. With -f it is told where a pod would go, without creating it;
    of a workload (a Deployment, a Job), there or in a file, where one more pod of its template would.

    Examples:

      wherry explain pod web-0

      wherry explain pod web-0 -n shop -o json

      wherry explain deployment web

      wherry explain -f pod.yaml
    """
    as_json = check_output(output)
    wanted, workload = _pods_in(file) if file else [], None
    if not file:
        workload, pod = _named(kind, pod)
    elif kind:
        raise Failure(f"-f {file} and {kind!r} exclude each other; give one of them", USAGE)
    at, context = _access(kubeconfig, name)
    try:
        answers = asyncio.run(_ask(at, context, workload, pod, namespace, wanted))
    except ApiError as error:
        raise Failure(_refusal(error, at), FAILED) from None
    if as_json:
        print_json(answers[0] if len(answers) == 1 else answers)
        return
    for number, answer in enumerate(answers):
        if number:
            say()
        for line in in_words(answer):
            say(line)


def _refusal(error: ApiError, at: Path) -> str:
    """What the server refused, in words; where nothing is known by that path, it decides nothing."""
    if error.code == 404 and not error.details.get("name"):
        return (
            f"the API server of {at} runs no scheduler, so it cannot tell; its scheduler runs elsewhere, and "
            "says in the pod's events what it does: kubectl describe pod"
        )
    return error.message


def _named(kind: str, name: str) -> tuple[Resource | None, str]:
    """The workload's resource, or None for a pod, and the name. Raises Failure."""
    if "/" in kind and not name:
        kind, _, name = kind.partition("/")
    workload = workload_called(kind)
    if not name or (workload is None and kind.lower() not in PODS):
        raise Failure(
            "name what is to be explained: wherry explain pod NAME, or wherry explain -f FILE; "
            f"beside pod there are {', '.join(WORKLOADS)}",
            USAGE,
        )
    return workload, name


def _access(kubeconfig: Path | None, name: str | None) -> tuple[Path, str]:
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
    if not lifecycle.is_running():
        raise Failure(
            f"cluster {cluster!r} is stopped; start it with: {lifecycle.command('start')}", NOT_RUNNING
        )
    return lifecycle.paths.admin_kubeconfig, ""


def _pods_in(file: str) -> list[Object]:
    """The templates of the pods that a file describes, with their namespaces. Raises Failure."""
    from wherry.kit.yaml_reader import YamlError

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        found = list(templates_in(text))
    except (YamlError, UnicodeDecodeError) as error:
        raise Failure(f"{file}: {error}", USAGE) from None
    if not found:
        raise Failure(f"{file}: nothing in it is a pod or has a template of one", USAGE)
    return found


async def _ask(
    file: Path, context: str, workload: Resource | None, name: str, namespace: str, wanted: Sequence[Object]
) -> list[Object]:
    """The decision about the pod, or a review for each of `wanted` or for the workload's template.

    Raises ApiError, Failure.
    """
    from wherry.api.decisions.pod_decision_reviews import POD_DECISION_REVIEWS
    from wherry.api.decisions.pod_decisions import POD_DECISIONS
    from wherry.client.api import Client
    from wherry.cluster.alone.access import read_access
    from wherry.cluster.alone.flags import FlagError

    try:
        client = Client(read_access(file, context_name=context).transport("wherry"))
    except FlagError as error:
        raise Failure(str(error), USAGE) from None
    try:
        async with asyncio.timeout(PATIENCE_S):
            if workload is not None:
                found = template_in(await client.get(workload, name, namespace or "default"))
                wanted = [found] if found else []
            elif not wanted:
                return [await client.get(POD_DECISIONS, name, namespace or "default")]
            return [
                await client.create(
                    POD_DECISION_REVIEWS,
                    {
                        "apiVersion": POD_DECISION_REVIEWS.api_version,
                        "kind": POD_DECISION_REVIEWS.kind,
                        "metadata": {"name": one["template"]["metadata"]["name"]},
                        "spec": {"template": one["template"]},
                    },
                    namespace or one["namespace"] or "default",
                )
                for one in wanted
            ]
    except TimeoutError:
        raise Failure(f"the API server did not answer within {PATIENCE_S:g} s", FAILED) from None
    finally:
        await client.close()


async def _names(file: Path, context: str, namespace: str) -> list[str]:
    from wherry.api.core.pods import PODS as RESOURCE
    from wherry.client.api import Client
    from wherry.cluster.alone.access import read_access

    client = Client(read_access(file, context_name=context).transport("wherry"))
    try:
        async with asyncio.timeout(2):
            return [pod["metadata"]["name"] for pod in (await client.list(RESOURCE, namespace)).items]
    finally:
        await client.close()
