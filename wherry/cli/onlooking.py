"""Explaining pods where no API server does, as its scheduler is another process: by the scheduler's own code,
which reads the cluster here, with the rights of whoever asks, and decides nothing (`explained_here`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wherry.cli.failures import USAGE, Failure
from wherry.objects.meta import Object

if TYPE_CHECKING:
    from wherry.client.api import Client
    from wherry.scheduler.configuration import SchedulerConfiguration


def configuration_in(file: Path | None) -> SchedulerConfiguration:
    """What a KubeSchedulerConfiguration says; without a file the default profile. Raises Failure."""
    from wherry.scheduler.configuration import default_configuration, read_configuration
    from wherry.scheduler.strict import ConfigurationError

    if file is None:
        return default_configuration()
    try:
        return read_configuration(file.read_bytes())
    except OSError as error:
        raise Failure(f"{file}: {error.strerror or error}; check --config", USAGE) from None
    except ConfigurationError as error:
        raise Failure(f"--config: {file}: {error}", USAGE) from None


async def explained_here(
    client: Client, told: SchedulerConfiguration, name: str, namespace: str, wanted: Sequence[Object]
) -> list[Object]:
    """The decision about the pod of that name, or a review of each of `wanted`, as an API server gives them.

    Raises ApiError, for what may not be read, too.
    """
    from wherry.api.core.pods import PODS
    from wherry.cluster.alone.scheduler import onlooker

    pods = [await _made(client, one["template"], namespace or one["namespace"]) for one in wanted]
    if not wanted:
        pods = [await client.get(PODS, name, namespace or "default")]
    scheduler = onlooker(client, told)
    try:
        await scheduler.look()
        told_of = [await scheduler.explainer.what_if(pod) for pod in pods]
        pairs = zip(pods, told_of, strict=True)
        answers = [_typed(pod, status, is_review=bool(wanted)) for pod, status in pairs]
        for answer, one in zip(answers, wanted, strict=False):
            answer["metadata"]["name"] = one["template"]["metadata"]["name"]
        return answers
    finally:
        await scheduler.close()


async def _made(client: Client, template: Object, namespace: str) -> Object:
    """A pod as it would be if it were created: with defaults, priority and admission. Raises ApiError."""
    from wherry.api.core.pods import PODS

    meta = {key: value for key, value in template["metadata"].items() if key != "name"}
    meta["generateName"] = f"{template['metadata'].get('name') or 'what-if'}-"  # one of its name may be there
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template.get("spec") or {}}
    return await client.transport.call("POST", PODS.path(namespace or "default"), {"dryRun": "All"}, pod)


def _typed(pod: Object, status: Object, *, is_review: bool) -> Object:
    from wherry.api.decisions.pod_decision_reviews import POD_DECISION_REVIEWS
    from wherry.api.decisions.pod_decisions import POD_DECISIONS

    kind = POD_DECISION_REVIEWS if is_review else POD_DECISIONS
    meta = {key: pod["metadata"][key] for key in ("name", "namespace") if key in pod["metadata"]}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "status": status}
