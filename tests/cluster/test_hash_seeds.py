"""What happens does not depend on the order of sets and of what has no order of its own: whatever the seed of
Python's hashes, scheduler and controllers say and do the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from wherry.objects.meta import Object, metadata, name_of
from wherry.testing import Cluster

OBJECTS = """
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: high}
value: 10
---
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu}
spec: {selectors: [{cel: {expression: "device.driver == 'd'"}}]}
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: s}
spec:
  driver: d
  allNodes: true
  pool: {name: p, generation: 1, resourceSliceCount: 1}
  devices: [{name: a}, {name: b}, {name: c}]
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: gpu}
spec: {spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu}}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front, team: a}}
    spec:
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway,
         labelSelector: {matchLabels: {app: web}}}
      containers: [{name: c, image: nginx, resources: {requests: {cpu: "4"}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 3
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: postgres}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log}
spec:
  selector: {matchLabels: {app: log}}
  template:
    metadata: {labels: {app: log}}
    spec: {containers: [{name: c, image: fluentd}]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: train}
spec:
  replicas: 4
  selector: {matchLabels: {app: train}}
  template:
    metadata: {labels: {app: train}}
    spec:
      resourceClaims: [{name: gpu, resourceClaimTemplateName: gpu}]
      containers: [{name: c, image: train, resources: {claims: [{name: gpu}]}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: pi}
spec:
  completions: 4
  parallelism: 2
  template: {spec: {restartPolicy: Never, containers: [{name: pi, image: perl}]}}
"""
GANG = """
apiVersion: scheduling.k8s.io/v1beta1
kind: PodGroup
metadata: {name: ring}
spec: {priorityClassName: high, schedulingPolicy: {gang: {minCount: 3}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: ring}
spec:
  replicas: 3
  selector: {matchLabels: {app: ring}}
  template:
    metadata: {labels: {app: ring}}
    spec:
      priorityClassName: high
      schedulingGroup: {podGroupName: ring}
      containers: [{name: c, image: busybox, resources: {requests: {cpu: "30"}}}]
"""


def history() -> Iterator[str]:
    """A line for each event and pod of a life with a bit of everything, in the order they were written in."""
    with Cluster(nodes=4, seed=3) as c:
        c.apply(OBJECTS)
        c.clock.advance("1m")
        c.apply(GANG)
        c.clock.advance("2m")
        taint = {"key": "broken", "effect": "NoExecute"}
        rule = {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceTaintRule", "metadata": {"name": "r"}}
        c.client.create({**rule, "spec": {"taint": taint, "deviceSelector": {"pool": "p"}}})
        c.nodes.lose("node-2")
        c.clock.advance("7m")
        c.client.patch("deploy", "web", {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})
        c.clock.advance("2m")
        for event in sorted(c.client.list("events"), key=by_revision):
            about = event["involvedObject"]
            yield f"{about['kind']}/{about['name']} {event['reason']}: {event['message']}"
        for pod in sorted(c.client.list("pods"), key=by_revision):
            yield f"{name_of(pod)} on {pod['spec'].get('nodeName')} is {pod['status'].get('phase')}"


def by_revision(obj: Object) -> int:
    """When it was written last."""
    return int(metadata(obj)["resourceVersion"])


def test_one_history_whatever_the_seed_of_hashes() -> None:
    code = f"from {__name__} import history; print('\\n'.join(history()))"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in (1, 2)
    ]
    first, second = (process.communicate(timeout=300)[0].splitlines() for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert first == second
    told = "\n".join(first)
    for reason in ("Preempted", "DeviceTaintManagerEviction", "TaintManagerEviction", "FailedScheduling"):
        assert f" {reason}: " in told, "all of this has to happen for the test to mean something"
