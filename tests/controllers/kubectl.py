"""The real kubectl on a cluster of `wherry.testing`."""

from __future__ import annotations

import subprocess

from tests.live.cluster import kubectl_program
from wherry.testing import Cluster

DAEMON_SET = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log}
spec:
  selector: {matchLabels: {app: log}}
  template:
    metadata: {labels: {app: log}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: "nginx:1"}]
"""


class Kubectl:
    """kubectl with the administrator's kubeconfig of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._config = str(cluster.kubeconfig)

    def __call__(self, *arguments: str, stdin: str | None = None, code: int = 0) -> str:
        command = self.command(*arguments)
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    def command(self, *arguments: str) -> list[str]:
        """What is run for these arguments."""
        return [kubectl_program(), "--kubeconfig", self._config, *arguments]

    def pods(self, app: str) -> dict[str, str]:
        """The images of an application's pods, by their names."""
        path = "jsonpath={range .items[*]}{.metadata.name} {.spec.containers[0].image}{'\\n'}{end}"
        lines = self("get", "pods", "-l", f"app={app}", "-o", path).splitlines()
        return dict(line.split() for line in lines)

    def revisions(self, target: str) -> list[str]:
        history = self("rollout", "history", target).splitlines()
        return [line.split()[0] for line in history[2:] if line]
