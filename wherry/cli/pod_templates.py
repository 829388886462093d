"""What has pods, or is one: in files, and by name in the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wherry.api.resource import Resource
from wherry.objects.meta import Object

WORKLOADS = (
    "deployment",
    "statefulset",
    "daemonset",
    "replicaset",
    "job",
    "cronjob",
    "replicationcontroller",
)


def workload_called(kind: str) -> Resource | None:
    """The resource of workloads that somebody means: plural, singular, short name or kind, in any case."""
    from wherry.api.apps.daemon_sets import DAEMON_SETS
    from wherry.api.apps.deployments import DEPLOYMENTS
    from wherry.api.apps.replica_sets import REPLICA_SETS
    from wherry.api.apps.stateful_sets import STATEFUL_SETS
    from wherry.api.batch.cron_jobs import CRON_JOBS
    from wherry.api.batch.jobs import JOBS
    from wherry.api.core.replication_controllers import REPLICATION_CONTROLLERS

    known = (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, REPLICA_SETS, JOBS, CRON_JOBS, REPLICATION_CONTROLLERS)
    wanted = kind.lower()
    for one in known:
        if wanted in (one.plural, one.singular, *one.short_names):
            return one
    return None


def template_in(obj: Object) -> Object | None:
    """The pod that `obj` is or the template it has, called after it, with its namespace; None without one."""
    spec, meta = obj.get("spec") or {}, obj.get("metadata") or {}
    if obj.get("kind") == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = {"metadata": meta, "spec": spec} if obj.get("kind") == "Pod" else spec.get("template")
    if not isinstance(template, dict):
        return None
    own = {key: value for key, value in (template.get("metadata") or {}).items() if key != "namespace"}
    return {
        "namespace": meta.get("namespace") or "",
        "template": {**template, "metadata": {"name": meta.get("name") or "", **own}},
    }


def templates_in(text: str) -> Iterator[Object]:
    """Those of a file. Raises YamlError."""
    from wherry.kit.yaml_reader import read

    for part in f"\n{text}".split("\n---"):
        obj: Any = read(part.partition("\n")[2] if part else part).value
        if isinstance(obj, dict) and (found := template_in(obj)) is not None:
            yield found
