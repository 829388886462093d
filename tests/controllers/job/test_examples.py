"""Upstream's documented examples of Jobs and CronJobs, with the names and numbers its pages tell."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.controllers.job import examples
from wherry.cli.kubectl import find_kubectl
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of
from wherry.testing import Cluster


def exits(name: str, code: int, *patterns: str) -> str:
    names = ", ".join(f'"{pattern}"' for pattern in patterns)
    return f"""
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {{name: {name}}}
spec:
  pods: {{names: [{names}]}}
  exits: {{code: {code}, after: 1s}}
"""


def pods_of(c: Cluster, job: str) -> list[Object]:
    return c.client.list("pods", "default", label_selector=f"batch.kubernetes.io/job-name={job}")


def conditions(job: Object) -> dict[str, tuple[str, str]]:
    return {
        c["type"]: (c["reason"], c["message"]) for c in job["status"]["conditions"] if c["status"] == "True"
    }


@pytest.mark.parametrize(
    ("manifest", "name", "pods"),
    [(examples.PI, "pi", 1), (examples.COARSE, "job-wq-1", 8), (examples.FINE, "job-wq-2", 2)],
)
def test_jobs_that_complete(manifest: str, name: str, pods: int) -> None:
    with Cluster(nodes=2) as c:
        c.apply(manifest)
        job = c.wait(f"job/{name}", "Complete")
        assert job["status"]["succeeded"] == pods
        assert len(pods_of(c, name)) == pods
        assert all(name_of(pod).startswith(f"{name}-") for pod in pods_of(c, name))
        assert [event.reason for event in c.events()][-1] == "Completed"


def test_an_indexed_job() -> None:
    with Cluster(nodes=2) as c:
        c.apply(examples.INDEXED)
        status = c.wait("job/indexed-job", "Complete")["status"]
        assert (status["completedIndexes"], status["succeeded"]) == ("0-4", 5)
        pods = {
            pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"]: pod
            for pod in pods_of(c, "indexed-job")
        }
        assert sorted(pods) == ["0", "1", "2", "3", "4"]
        assert all(pod["spec"]["hostname"] == f"indexed-job-{index}" for index, pod in pods.items())


def test_a_back_off_limit_per_index() -> None:
    name = "job-backoff-limit-per-index-example"
    even = exits("even", 1, *(f"{name}-{index}-*" for index in (0, 2, 4, 6, 8)))
    with Cluster(nodes=2, outcomes=[even]) as c:
        c.apply(examples.PER_INDEX)
        job = c.wait(f"job/{name}", "Failed", timeout="10m")
        status = job["status"]
        assert (status["completedIndexes"], status["failedIndexes"]) == ("1,3,5,7,9", "0,2,4,6,8")
        assert (status["succeeded"], status["failed"]) == (5, 10)
        assert conditions(job)["Failed"] == ("FailedIndexes", "Job has failed indexes")


def test_a_pod_failure_policy() -> None:
    name = "job-pod-failure-policy-failjob"
    with Cluster(nodes=2, outcomes=[exits("bug", 42, "*")]) as c:
        c.apply(examples.FAILURE_POLICY)
        job = c.wait(f"job/{name}", "Failed")
        reason, message = conditions(job)["Failed"]
        assert reason == "PodFailurePolicy"
        assert message.startswith(f"Container main for pod default/{name}-")
        assert message.endswith(" failed with exit code 42 matching FailJob rule at index 0")
        assert job["status"]["failed"] == 2


def test_a_success_policy() -> None:
    others = exits("others", 1, *(f"job-success-{index}-*" for index in (0, 1, 3, 4, 5, 6, 7, 8, 9)))
    with Cluster(nodes=2, outcomes=[others]) as c:
        c.apply(examples.SUCCESS_POLICY)
        job = c.wait("job/job-success", "Complete")
        assert conditions(job)["SuccessCriteriaMet"] == ("SuccessPolicy", "Matched rules at index 0")
        assert (job["status"]["completedIndexes"], job["status"]["succeeded"]) == ("2", 1)
        assert all(pod["status"]["phase"] != "Running" for pod in pods_of(c, "job-success"))


def test_a_cron_job_every_minute() -> None:
    with Cluster(nodes=1) as c:
        c.apply(examples.HELLO)
        c.clock.advance("5m")
        names = sorted(name_of(job) for job in c.client.list("jobs", "default"))
        # The three that ended last; a name ends with the minutes since 1970 of its time.
        minutes = int(c.clock.now().timestamp()) // 60
        assert names == [f"hello-{minutes - back}" for back in (2, 1, 0)]
        status = c.client.get("cronjob", "hello")["status"]
        assert status["lastScheduleTime"] == status["lastSuccessfulTime"] == "2026-01-01T00:05:00Z"


def test_a_job_deleted_with_its_pods_and_one_without() -> None:
    with Cluster(nodes=1) as c:
        for propagation, left in (("Background", 0), ("Foreground", 0), ("Orphan", 1)):
            c.apply(examples.PI)
            c.wait("job/pi", "Complete")
            c.client.delete("job", "pi", propagation=propagation)
            c.clock.advance("1m")
            assert c.client.list("jobs", "default") == []
            assert len(pods_of(c, "pi")) == left


SLOW = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: slow}
spec: {completesAfter: 1h}
"""


def test_a_suspended_job_may_be_given_other_resources_and_nodes() -> None:
    more = {"containers": [{"name": "pi", "image": "perl:5.34.0", "resources": {"requests": {"cpu": "2"}}}]}
    change = {"spec": {"template": {"spec": {**more, "nodeSelector": {"kubernetes.io/os": "linux"}}}}}
    with Cluster(nodes=1, outcomes=[SLOW]) as c:
        c.apply(examples.PI.replace(', command: [perl, "-Mbignum=bpi", "-wle", "print bpi(2000)"]', ""))
        c.wait("job/pi", lambda job: job["status"].get("ready") == 1)
        with pytest.raises(ApiError, match=r"spec.template: Invalid value: .*field is immutable"):
            c.client.patch("job", "pi", change)
        c.client.patch("job", "pi", {"spec": {"suspend": True}})
        job = c.wait("job/pi", "Suspended")
        assert "startTime" not in job["status"]
        c.client.patch("job", "pi", change)
        c.client.patch("job", "pi", {"spec": {"suspend": False}})
        job = c.wait("job/pi", lambda job: job["status"].get("active") == 1)
        (pod,) = [pod for pod in pods_of(c, "pi") if not pod["metadata"].get("deletionTimestamp")]
        assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "2"}
        assert pod["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
        assert not job["status"].get("failed")
        assert [event.reason for event in c.events() if event.object == "job/pi"][-3:] == [
            "Suspended",
            "SuccessfulCreate",
            "Resumed",
        ]


def test_a_tainted_node_costs_a_pod_and_not_a_completion() -> None:
    """The eviction counts as a failure unless the policy has it ignored, and another pod does the work."""
    ignores = "podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}"
    for manifest, failed in ((examples.PI, 1), (examples.PI.replace("backoffLimit: 4", ignores), None)):
        with Cluster(nodes=2, outcomes=[SLOW.replace("1h", "20s")]) as c:
            c.apply(manifest)
            c.wait("job/pi", lambda job: job["status"].get("ready") == 1)
            (pod,) = pods_of(c, "pi")
            taint = {"key": "drained", "effect": "NoExecute"}
            c.client.patch("node", pod["spec"]["nodeName"], {"spec": {"taints": [taint]}})
            job = c.wait("job/pi", "Complete", timeout="5m")
            assert (job["status"]["succeeded"], job["status"].get("failed")) == (1, failed)


Kubectl = Callable[..., str]


@pytest.fixture(scope="module")
def kubectl() -> Iterator[Kubectl]:
    with Cluster(nodes=1) as c:
        environment = {"KUBECONFIG": str(c.kubeconfig), "HOME": str(c.kubeconfig.parent)}

        def run(*args: str, stdin: str | None = None) -> str:
            done: Any = subprocess.run(
                [find_kubectl(), *args],
                input=stdin,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
                timeout=60,
            )
            return str(done.stdout)

        yield run


@pytest.mark.slow
def test_kubectl_creates_waits_for_and_deletes_jobs(kubectl: Kubectl) -> None:
    assert kubectl("create", "job", "one", "--image=busybox", "--", "date") == "job.batch/one created\n"
    waited = kubectl("wait", "--for=condition=complete", "job/one", "--timeout=60s")
    assert waited == "job.batch/one condition met\n"
    row = kubectl("get", "job", "one", "--no-headers").split()
    assert row[:3] == ["one", "Complete", "1/1"]
    assert "Normal  SuccessfulCreate" in kubectl("describe", "job", "one")
    pods = kubectl("get", "pods", "-l", "batch.kubernetes.io/job-name=one", "-o", "name").split()
    assert len(pods) == 1
    kubectl("delete", "job", "one", "--cascade=foreground", "--timeout=60s")
    assert kubectl("get", "pods", "-l", "batch.kubernetes.io/job-name=one", "-o", "name") == ""


@pytest.mark.slow
def test_kubectl_runs_a_cron_job_by_hand_and_suspends_it(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=examples.HELLO.replace('"* * * * *"', '"0 0 1 1 *"'))
    assert kubectl("create", "job", "now", "--from=cronjob/hello") == "job.batch/now created\n"
    kubectl("wait", "--for=condition=complete", "job/now", "--timeout=60s")
    kubectl("wait", "--for=jsonpath={.status.lastSuccessfulTime}", "cronjob/hello", "--timeout=60s")
    kubectl("patch", "cronjob", "hello", "-p", '{"spec": {"suspend": true}}')
    row = kubectl("get", "cronjob", "hello", "--no-headers").split()
    assert row[:7] == ["hello", "0", "0", "1", "1", "*", "<none>"]
    assert row[7] == "True"
    kubectl("delete", "cronjob", "hello", "--timeout=60s")
    kubectl("wait", "--for=delete", "job/now", "--timeout=60s")
