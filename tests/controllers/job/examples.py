"""The examples of upstream's pages on Jobs (kubernetes.io: concepts/workloads/controllers/job, tasks/job)."""

from __future__ import annotations

PI = """
apiVersion: batch/v1
kind: Job
metadata: {name: pi}
spec:
  template:
    spec:
      containers:
      - {name: pi, image: "perl:5.34.0", command: [perl, "-Mbignum=bpi", "-wle", "print bpi(2000)"]}
      restartPolicy: Never
  backoffLimit: 4
"""
COARSE = """
apiVersion: batch/v1
kind: Job
metadata: {name: job-wq-1}
spec:
  completions: 8
  parallelism: 2
  template:
    metadata: {name: job-wq-1}
    spec:
      containers:
      - name: c
        image: gcr.io/project/job-wq-1
        env: [{name: QUEUE, value: job1}]
      restartPolicy: OnFailure
"""
FINE = """
apiVersion: batch/v1
kind: Job
metadata: {name: job-wq-2}
spec:
  parallelism: 2
  template:
    metadata: {name: job-wq-2}
    spec:
      containers: [{name: c, image: gcr.io/project/job-wq-2}]
      restartPolicy: OnFailure
"""
INDEXED = """
apiVersion: batch/v1
kind: Job
metadata: {name: indexed-job}
spec:
  completions: 5
  parallelism: 3
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers: [{name: worker, image: docker.io/library/busybox, command: [rev, /input/data.txt]}]
"""
PER_INDEX = """
apiVersion: batch/v1
kind: Job
metadata: {name: job-backoff-limit-per-index-example}
spec:
  completions: 10
  parallelism: 3
  completionMode: Indexed
  backoffLimitPerIndex: 1
  maxFailedIndexes: 5
  template:
    spec:
      restartPolicy: Never
      containers: [{name: example, image: python}]
"""
FAILURE_POLICY = """
apiVersion: batch/v1
kind: Job
metadata: {name: job-pod-failure-policy-failjob}
spec:
  completions: 8
  parallelism: 2
  backoffLimit: 6
  podFailurePolicy:
    rules:
    - action: FailJob
      onExitCodes: {containerName: main, operator: In, values: [42]}
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "docker.io/library/bash:5"}]
"""
SUCCESS_POLICY = """
apiVersion: batch/v1
kind: Job
metadata: {name: job-success}
spec:
  parallelism: 10
  completions: 10
  completionMode: Indexed
  successPolicy:
    rules:
    - {succeededIndexes: "0,2-3", succeededCount: 1}
  template:
    spec:
      containers: [{name: main, image: python}]
      restartPolicy: Never
"""
HELLO = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: hello}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          containers:
          - name: hello
            image: busybox:1.28
            imagePullPolicy: IfNotPresent
            command: [/bin/sh, -c, date; echo Hello from the Kubernetes cluster]
          restartPolicy: OnFailure
"""
