"""`wherry explain`: why a pod is where it is, or nowhere, and where one would go that is not there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wherry.api.resource import Resource
from wherry.cli.asking import Kubeconfig, Namespace, access, ask, pod_names
from wherry.cli.decisions import in_words
from wherry.cli.failures import FAILED, USAGE, Failure
from wherry.cli.onlooking import configuration_in, explained_here
from wherry.cli.options import Name, Output, check_output, one_that_begins
from wherry.cli.pod_templates import WORKLOADS, template_in, templates_in, workload_called
from wherry.cli.terminal import print_json, say
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

if TYPE_CHECKING:
    from wherry.client.api import Client

PODS = ("pod", "pods", "po")


def explain(
    kind: Annotated[
        str,
        typer.Argument(
            help="pod or a workload's kind, or KIND/NAME.",
            autocompletion=one_that_begins(("pod", *WORKLOADS)),
        ),
    ] = "",
    pod: Annotated[
        str, typer.Argument(metavar="NAME", help="The pod or workload.", autocompletion=pod_names)
    ] = "",
    file: Annotated[
        str,
        typer.Option("--filename", "-f", help="A pod or workload that is not there; - reads it from stdin."),
    ] = "",
    namespace: Namespace = "",
    name: Name = None,
    kubeconfig: Kubeconfig = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Work it out here, with this configuration of a scheduler that runs by itself."),
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
    at = access(kubeconfig, name)
    try:
        answers = ask(at, lambda client: _ask(client, workload, pod, namespace, wanted, config))
    except ApiError as error:
        raise Failure(error.message, FAILED) from None
    if as_json:
        print_json(answers[0] if len(answers) == 1 else answers)
        return
    for number, answer in enumerate(answers):
        if number:
            say()
        for line in in_words(answer):
            say(line)


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
    client: Client,
    workload: Resource | None,
    name: str,
    namespace: str,
    wanted: Sequence[Object],
    config: Path | None,
) -> list[Object]:
    """The decision about the pod, or a review for each of `wanted` or for the workload's template.

    Raises ApiError, Failure.
    """
    told = configuration_in(config)
    if workload is not None:
        found = template_in(await client.get(workload, name, namespace or "default"))
        wanted = [found] if found else []
    if config is None:
        try:
            return await _asked(client, name, namespace, wanted)
        except ApiError as error:
            if error.code != 404 or error.details.get("name"):
                raise
            # Nothing is known by that path: the API server has no scheduler beside it.
    return await explained_here(client, told, name, namespace, wanted)


async def _asked(client: Client, name: str, namespace: str, wanted: Sequence[Object]) -> list[Object]:
    """What the API server says. Raises ApiError."""
    from wherry.api.decisions.pod_decision_reviews import POD_DECISION_REVIEWS
    from wherry.api.decisions.pod_decisions import POD_DECISIONS

    if not wanted:
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
