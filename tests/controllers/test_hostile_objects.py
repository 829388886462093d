"""Objects as no validation would let in, and some that it would: no controller stops or works without end."""

from __future__ import annotations

from typing import Any

from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.apps.daemon_sets import DAEMON_SETS
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.api.batch.cron_jobs import CRON_JOBS
from wherry.api.batch.jobs import JOBS
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.resource_quotas import RESOURCE_QUOTAS
from wherry.api.core.services import SERVICES
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS
from wherry.controllers.catalog import CONTROLLERS
from wherry.controllers.job.facts import FAILURES, FINALIZER, IGNORED_FAILURES, INDEX
from wherry.objects.meta import Object, name_of, uid_of

MANY = "1" * 5000
TEXTS = (MANY, "²", "-1", "9" * 19, "1e9", "x" * 10_000, "")
RESOURCES = {
    "requests": {"cpu": "9223372036854775807", "memory": "9E", "x.y/z": "9E"},
    "limits": {"x.y/z": "9E"},
}


def meta(name: str, **more: Any) -> Object:
    return {"name": name, "namespace": "default", **more}


def workload(name: str, annotations: Object | None = None, **spec: Any) -> Object:
    labels = {"n": name}
    containers = [{"name": "c", "image": "i", "resources": RESOURCES}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    made = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template, **spec}
    return {"metadata": meta(name, annotations=annotations or {}, generation=1), "spec": made}


def deployment(name: str, annotations: Object | None = None, surge: str = "25%") -> Object:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": "25%"}}
    made = {"strategy": strategy, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10}
    return workload(name, annotations, **made)


def owner(kind: str, name: str, uid: str, api_version: str = "v1", **more: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, **more}


async def make_absurd_workloads(bench: Bench) -> None:
    for number, text in enumerate(TEXTS):
        revision = {"deployment.kubernetes.io/revision": text, "deprecated.deployment.rollback.to": text}
        await bench.store(DEPLOYMENTS, deployment(f"d{number}", revision))
        sizes = {f"deployment.kubernetes.io/{name}-replicas": text for name in ("desired", "max")}
        await bench.store(REPLICA_SETS, workload(f"r{number}", {**sizes, **revision}))
    await bench.store(DEPLOYMENTS, deployment("surge", surge=f"{MANY}%"))
    values = [f"v{number}" for number in range(10_000)]
    for operator in ("NotIn", "In", "none"):
        selector = {"matchExpressions": [{"key": "a", "operator": operator, "values": values}]}
        labels = {
            "metadata": {"labels": {"a": "v1" if operator == "In" else "w"}},
            "spec": samples.pod_spec(),
        }
        await bench.store(REPLICA_SETS, workload(f"s-{operator.lower()}", selector=selector, template=labels))


async def make_absurd_sets(bench: Bench) -> None:
    for number, text in enumerate(TEXTS):
        counted = {"deprecated.daemonset.template.generation": text}
        await bench.store(DAEMON_SETS, workload(f"g{number}", counted))
    rolling = {"maxSurge": f"{MANY}%", "maxUnavailable": 0}
    updating = {"type": "RollingUpdate", "rollingUpdate": rolling}
    await bench.store(DAEMON_SETS, workload("many", updateStrategy=updating, minReadySeconds=2**31 - 1))
    # two of one selector: only what each made itself is its own
    await bench.store(DAEMON_SETS, workload("twin", selector={"matchLabels": {"n": "many"}}))
    rolling = {"partition": 2**31 - 1, "maxUnavailable": f"{MANY}%"}
    huge: dict[str, Any] = {"replicas": 2**31 - 1, "ordinals": {"start": 2**31 - 1}}
    updating = {"type": "RollingUpdate", "rollingUpdate": rolling}
    claims = [{"metadata": {"name": f"c{number}"}, "spec": samples.claim()["spec"]} for number in range(100)]
    await bench.store(STATEFUL_SETS, workload("huge", **huge, updateStrategy=updating))
    await bench.store(STATEFUL_SETS, workload("claims", volumeClaimTemplates=claims, replicas=2**31 - 1))


async def make_absurd_jobs(bench: Bench) -> None:
    template = {"spec": samples.pod_spec(restartPolicy="Never")}
    long: dict[str, Any] = {"activeDeadlineSeconds": 2**63 - 1, "ttlSecondsAfterFinished": 2**31 - 1}
    counts = {"parallelism": 3, "backoffLimit": 2**31 - 1, "completionMode": "Indexed"}
    for number, text in enumerate(TEXTS):
        labels = {"j": f"{number}"}
        spec = {**counts, **long, "completions": 2**31 - 1, "backoffLimitPerIndex": 2**31 - 1}
        selected = {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, **template},
        }
        uncounted = {"succeeded": [text], "failed": [text]}
        status = {"completedIndexes": text, "failedIndexes": text, "uncountedTerminatedPods": uncounted}
        job = {"metadata": meta(f"j{number}"), "spec": {**spec, **selected}, "status": status}
        await bench.store(JOBS, job)
        counted = dict.fromkeys((INDEX, FAILURES, IGNORED_FAILURES), text)
        pod = meta(f"p{number}", labels=labels, annotations=counted, finalizers=["example.org/x", FINALIZER])
        await bench.store(PODS, {"metadata": pod, "spec": samples.pod_spec(), "status": {"phase": "Failed"}})
    schedules = (
        "@every 2562047h",
        "0 0 31 2 *",
        f"{MANY} * * * *",
        "* * * * 7",
        ",,, * * * *",
        "TZ=x @daily",
        "",
    )
    for number, schedule in enumerate(schedules):
        timed: Object = {"schedule": schedule, "startingDeadlineSeconds": 2**63 - 1}
        timed |= {"timeZone": "../../etc/passwd", "jobTemplate": {"spec": samples.job()["spec"]}}
        told: Object = {
            "lastScheduleTime": "0001-01-01T00:00:00Z",
            "active": [{}, {"name": "../x", "namespace": MANY}],
        }
        for zone in ({}, {"timeZone": None}):
            name = f"c{number}{'z' if zone else ''}"
            await bench.store(CRON_JOBS, {"metadata": meta(name), "spec": {**timed, **zone}, "status": told})


async def make_owners_in_circles(bench: Bench) -> None:
    first = await bench.create(CONFIG_MAPS, {"metadata": meta("first")})
    ref = owner("ConfigMap", "first", uid_of(first), blockOwnerDeletion=True)
    second = await bench.create(CONFIG_MAPS, {"metadata": meta("second", ownerReferences=[ref])})
    ref = owner("ConfigMap", "second", uid_of(second), blockOwnerDeletion=True)
    await bench.client.patch(CONFIG_MAPS, "first", "default", {"metadata": {"ownerReferences": [ref]}})
    many = [owner("ConfigMap", f"o{number}", f"u{number}") for number in range(1000)]
    weird = [
        owner("", "", "", ""),
        owner("Nope", "x", "y", "no.such/v1"),
        owner("Pod", "../..", "z", "a/b/c"),
    ]
    for name, refs in (("many", many), ("weird", weird)):
        await bench.store(CONFIG_MAPS, {"metadata": meta(name, ownerReferences=refs)})


async def make_the_rest(bench: Bench) -> None:
    budget = {"selector": {"matchLabels": {"n": "d0"}}, "minAvailable": f"{MANY}%"}
    await bench.store(POD_DISRUPTION_BUDGETS, {"metadata": meta("b"), "spec": budget})
    hard = {"cpu": "1e300", "requests.memory": "9E", "pods": "9223372036854775807", MANY: "1"}
    await bench.store(RESOURCE_QUOTAS, {"metadata": meta("q"), "spec": {"hard": hard}})
    ports = [{"port": 1, "targetPort": MANY, "name": "p"}]
    await bench.store(SERVICES, {"metadata": meta("s"), "spec": {"selector": {"n": "d0"}, "ports": ports}})
    taint = {"key": "k", "effect": "NoExecute", "timeAdded": "xx"}
    await bench.store(NODES, {"metadata": {"name": "n"}, "spec": {"podCIDR": "999/99", "taints": [taint]}})
    tolerations = [{"key": "k", "operator": "Exists", "tolerationSeconds": 2**63 - 1}]
    spec = samples.pod_spec(nodeName="n", tolerations=tolerations)
    await bench.store(PODS, {"metadata": meta("t"), "spec": spec, "status": {"phase": "Running"}})


async def test_no_controller_stops_or_works_without_end() -> None:
    async with running(*CONTROLLERS) as bench:
        tasks = [len(controller.tasks) for controller in bench.controllers.controllers]
        await make_absurd_workloads(bench)
        await make_absurd_sets(bench)
        await make_absurd_jobs(bench)
        await make_owners_in_circles(bench)
        await make_the_rest(bench)
        for _ in range(6):
            await bench.clock.advance(10)
            await bench.settle()
        before = len(bench.requests.calls)
        for _ in range(6):
            await bench.clock.advance(10)
            await bench.settle()
        assert len(bench.requests.calls) - before < 100
        assert [len(controller.tasks) for controller in bench.controllers.controllers] == tasks
        await bench.create(DEPLOYMENTS, deployment("good"))
        await bench.clock.advance(1)
        await bench.settle()
        assert len([pod for pod in await bench.all(PODS) if name_of(pod).startswith("good-")]) == 2
