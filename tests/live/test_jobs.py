"""A Job, a CronJob and the clean-up after the end, of real containers."""

from __future__ import annotations

from tests.live.cluster import BUSYBOX, LiveCluster

INDEXED = f"""
apiVersion: batch/v1
kind: Job
metadata: {{name: indexed}}
spec:
  completions: 2
  parallelism: 2
  completionMode: Indexed
  backoffLimitPerIndex: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: c
        image: {BUSYBOX}
        command: [sh, -c, 'echo "index $JOB_COMPLETION_INDEX on $(hostname)"; exit $JOB_COMPLETION_INDEX']
"""
HELLO = f"""
apiVersion: batch/v1
kind: CronJob
metadata: {{name: hello}}
spec:
  schedule: "@every 2s"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      ttlSecondsAfterFinished: 1
      template:
        spec:
          restartPolicy: OnFailure
          containers: [{{name: c, image: {BUSYBOX}, command: [date]}}]
"""


def test_an_index_that_fails_and_one_that_succeeds(cluster: LiveCluster, namespace: str) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=INDEXED)
    cluster.kubectl("wait", "--for=condition=Failed", "job/indexed", "-n", namespace, "--timeout=60s")
    status = cluster.get("job", "indexed", "-n", namespace)["status"]
    assert (status["completedIndexes"], status["failedIndexes"]) == ("0", "1")
    assert (status["succeeded"], status["failed"], status["terminating"]) == (1, 1, 0)
    pods = cluster.get("pods", "-n", namespace, "-l", "batch.kubernetes.io/job-name=indexed")["items"]
    logs = {cluster.kubectl("logs", "-n", namespace, pod["metadata"]["name"]).strip() for pod in pods}
    assert logs == {"index 0 on indexed-0", "index 1 on indexed-1"}
    assert all(not pod["metadata"].get("finalizers") for pod in pods)


def test_a_cron_job_whose_jobs_go_after_their_end(cluster: LiveCluster, namespace: str) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=HELLO)
    cluster.kubectl(
        *("wait", "--for=jsonpath={.status.lastSuccessfulTime}", "cronjob/hello", "-n", namespace),
        "--timeout=60s",
    )
    cluster.kubectl("patch", "cronjob", "hello", "-n", namespace, "-p", '{"spec": {"suspend": true}}')
    cluster.kubectl("wait", "--for=delete", "jobs", "--all", "-n", namespace, "--timeout=60s")
    cluster.kubectl("wait", "--for=delete", "pods", "--all", "-n", namespace, "--timeout=60s")
