"""Jobs and CronJobs on simulated nodes: a day of a thousand CronJobs, a Job of a thousand pods.

Seconds are of the processor: simulated time waits for nothing, so that is what a quiet machine takes.
"""

from __future__ import annotations

from time import process_time

from bench.figures import Figure

CRON_JOBS = 1000
JOB_PODS = 1000
TRIES = 3
HELLO = """
apiVersion: batch/v1
kind: CronJob
metadata: {{name: hello-{number}}}
spec:
  schedule: "{schedule}"
  jobTemplate:
    spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: hello, image: busybox}}]}}}}}}
"""
MANY = f"""
apiVersion: batch/v1
kind: Job
metadata: {{name: many}}
spec:
  completions: {JOB_PODS}
  parallelism: {JOB_PODS}
  template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: busybox}}]}}}}
"""
ROOM = {"cpu": "10000", "memory": "10Ti", "pods": "100000"}


def measure_jobs() -> list[Figure]:
    """All rows. What an idle day takes is told apart: heartbeats and watches are most of a quiet day."""
    idle = min(_day_s(0) for _ in range(TRIES))
    hourly = min(_day_s(1) for _ in range(TRIES))
    daily, beyond = _day_s(CRON_JOBS, "{minute} {hour} * * *"), max(hourly - idle, 0.0)
    return [
        Figure("a simulated day of one idle node", idle, "CPU s"),
        Figure("a simulated day of an hourly CronJob, beyond that", beyond, "CPU s", "< 0.3"),
        Figure(f"a simulated day of {CRON_JOBS} daily CronJobs", daily, "CPU s", "< 60"),
        Figure(f"a Job of {JOB_PODS} pods on 20 nodes, from `apply` to Complete", _job_s(), "CPU s"),
    ]


def _day_s(count: int, schedule: str = "0 * * * *") -> float:
    """What a simulated day takes in which so many CronJobs run their jobs."""
    from wherry.hollow.machines import NodeTemplate
    from wherry.testing import Cluster

    texts = [
        HELLO.format(number=number, schedule=schedule.format(minute=number % 60, hour=number % 24))
        for number in range(count)
    ]
    objects = ["\n---".join(texts)] if texts else []
    with Cluster(nodes=1, node_template=NodeTemplate(capacity=ROOM), objects=objects) as c:
        began = process_time()
        c.clock.advance("24h")
        took = process_time() - began
        run = [job for job in c.client.list("cronjobs") if job.get("status", {}).get("lastSuccessfulTime")]
    if len(run) < count:
        raise SystemExit(f"{count - len(run)} CronJobs have not run: the figure would say nothing")
    return took


def _job_s() -> float:
    """A Job whose pods are all made at once."""
    from wherry.testing import Cluster

    with Cluster(nodes=20) as c:
        began = process_time()
        c.apply(MANY)
        c.wait("job/many", "Complete", timeout="10m")
        return process_time() - began
