"""`wherry why`: why a pod does not run, is not ready, or does not end, in one answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wherry.api.resource import Resource
from wherry.cli.asking import Kubeconfig, Namespace, access, ask, pod_names
from wherry.cli.failures import FAILED, USAGE, Failure
from wherry.cli.options import Name, Output, check_output, one_that_begins
from wherry.cli.pod_templates import WORKLOADS, workload_called
from wherry.cli.reasons import Answer, Facts, find_reasons
from wherry.cli.terminal import print_json, say
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time, uid_of

if TYPE_CHECKING:
    from wherry.client.api import Client

PODS = ("pod", "pods", "po")
MOST_EVENTS = 500
MOST_PODS = 500


def why(
    kind: Annotated[
        str, typer.Argument(help="pod, or pod/NAME.", autocompletion=one_that_begins(("pod",)))
    ] = "",
    pod: Annotated[str, typer.Argument(metavar="NAME", help="The pod.", autocompletion=pod_names)] = "",
    namespace: Namespace = "",
    name: Name = None,
    kubeconfig: Kubeconfig = None,
    output: Output = "text",
) -> None:
    """Say why a pod does not run, is not ready, or does not end.

    One answer from everything that knows: the scheduler, the node and its kubelet, images, volumes, probes,
    exit codes, quotas; with what to do about each. The first line is how the pod stands.

    Examples:

      wherry why pod web-0

      wherry why pod web-0 -n shop -o json
    """
    as_json = check_output(output)
    if "/" in kind and not pod:
        kind, _, pod = kind.partition("/")
    if kind.lower() not in PODS or not pod:
        raise Failure(no_pod(kind, pod), USAGE)
    try:
        facts = ask(access(kubeconfig, name), lambda client: gather(client, namespace or "default", pod))
    except ApiError as error:
        raise Failure(error.message, FAILED) from None
    answer = find_reasons(facts)
    if as_json:
        print_json(as_document(facts, answer))
    else:
        _tell(answer)
    if facts.pod is None:
        raise typer.Exit(FAILED)


def no_pod(kind: str, name: str) -> str:
    """What to say to who named no pod, by what was given in its place."""
    workload = workload_called(kind)
    if workload is not None and name:
        return f"why is told of pods; of a {workload.singular}: wherry explain {workload.singular} {name}"
    meant = ""
    if kind and not name and kind.lower() not in PODS and workload is None:
        meant = f"; did you mean: wherry why pod {kind}?"
    return f"name the pod: wherry why pod NAME [-n NAMESPACE]{meant}"


def as_document(facts: Facts, answer: Answer) -> Object:
    """The answer for scripts."""
    reasons = [{"of": r.what, "why": r.why, "try": r.try_} for r in answer.reasons]
    return {"namespace": facts.namespace, "name": facts.name, "summary": answer.headline, "reasons": reasons}


def _tell(answer: Answer) -> None:
    say(answer.headline)
    for reason in answer.reasons:
        say(f"- {reason.what}: {reason.why}")
        if reason.try_:
            say(f"    try: {reason.try_}")


async def gather(client: Client, namespace: str, name: str) -> Facts:
    """What the API server knows of the pod. Raises ApiError; what one may not see is left out."""
    from wherry.api.core.events import EVENTS
    from wherry.api.core.nodes import NODES
    from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
    from wherry.api.core.pods import PODS as RESOURCE
    from wherry.api.decisions.pod_decisions import POD_DECISIONS

    async def one(resource: Resource, called: str, within: str = "") -> Object | None:
        try:
            return await client.get(resource, called, within)
        except ApiError as error:
            if error.code in (403, 404):
                return None
            raise

    pod = await one(RESOURCE, name, namespace)
    selector = f"involvedObject.uid={uid_of(pod)}" if pod is not None else "reason=FailedCreate"
    listing = await client.list(EVENTS, namespace, field_selector=selector, limit=MOST_EVENTS)
    events = sorted(listing.items, key=_moment)
    if pod is None:
        makers = [e for e in events if name.startswith((e["involvedObject"].get("name") or "\0") + "-")]
        if makers:
            return Facts(namespace=namespace, name=name, pod=None, events=makers)
        kinds = [resource for kind in WORKLOADS if (resource := workload_called(kind)) is not None]
        found = await asyncio.gather(*(one(resource, name, namespace) for resource in kinds))
        pods = await client.list(RESOURCE, namespace, limit=MOST_PODS)
        return Facts(
            namespace=namespace,
            name=name,
            pod=None,
            workloads=[kind.singular for kind, there in zip(kinds, found, strict=True) if there is not None],
            alike=sorted(n for each in pods.items if (n := each["metadata"]["name"]).startswith(name)),
        )
    spec: Any = pod.get("spec") or {}
    node_name = spec.get("nodeName") or ""
    wanted = [_claim(name, volume) for volume in spec.get("volumes") or ()]
    names = [claim for claim in wanted if claim]
    node, decision, *claims = await asyncio.gather(
        one(NODES, node_name) if node_name else _nothing(),
        _nothing() if node_name else one(POD_DECISIONS, name, namespace),
        *(one(PERSISTENT_VOLUME_CLAIMS, claim, namespace) for claim in names),
    )
    return Facts(
        namespace=namespace,
        name=name,
        pod=pod,
        events=events,
        node=node,
        decision=(decision or {}).get("status"),
        claims=dict(zip(names, claims, strict=True)),
        now=format_time(datetime.now(UTC)),
    )


async def _nothing() -> None:
    return None


def _claim(pod: str, volume: Object) -> str:
    """The claim a volume is of, "" for none; an ephemeral one is named after pod and volume."""
    if "ephemeral" in volume:
        return f"{pod}-{volume['name']}"
    claim: str = (volume.get("persistentVolumeClaim") or {}).get("claimName") or ""
    return claim


def _moment(event: Object) -> str:
    found: str = (
        event.get("lastTimestamp")
        or event.get("eventTime")
        or (event.get("metadata") or {}).get("creationTimestamp")
        or ""
    )
    return found
