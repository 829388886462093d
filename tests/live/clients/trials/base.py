"""The workbench of a trial: kubectl in one namespace, with a directory for files."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from tests.live.cluster import BUSYBOX, NGINX, Done, LiveCluster, kubectl_program
from tests.timing import PATIENCE_S

POD = "box"
"""A running pod of busybox that prints a line a second; every trial may look at it."""
WEB = "web"
"""A Deployment of two nginx pods, served by a Service of the same name; trials only look at it."""
LINE_TIMEOUT_S = PATIENCE_S
_COUNTING = "trap exit TERM; i=0; while true; do echo line $i; i=$((i+1)); sleep 1; done"


@dataclass(frozen=True, slots=True)
class Bench:
    """kubectl against the namespace `namespace`; files go to `directory`."""

    cluster: LiveCluster
    namespace: str
    directory: Path

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl in the namespace; it must succeed. What it printed."""
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def attempt(self, *arguments: str, stdin: str = "") -> Done:
        """Run kubectl in the namespace, whatever comes of it."""
        return self.cluster.try_kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def get(self, *arguments: str) -> Any:
        """`kubectl get ... -o json`, decoded."""
        return json.loads(self.run("get", *arguments, "-o", "json"))

    def apply(self, *objects: Mapping[str, Any]) -> str:
        """Apply objects; what kubectl printed."""
        return self.run("apply", "-f", "-", stdin="\n---\n".join(json.dumps(item) for item in objects))

    def file(self, name: str, content: str) -> str:
        """The path of a new file in the trial's directory."""
        path = self.directory / name
        path.write_text(content)
        return str(path)

    def where(self, **variables: str) -> Bench:
        """The same bench with environment variables added."""
        return replace(self, cluster=replace(self.cluster, variables=variables))

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[Running]:
        """kubectl running beside the trial, ended after the block."""
        with subprocess.Popen(
            [kubectl_program(), f"--namespace={self.namespace}", *arguments],
            env=self.cluster.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            guard = threading.Timer(LINE_TIMEOUT_S, process.kill)
            guard.start()
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                yield Running(process.stdin, process.stdout)
            finally:
                guard.cancel()
                process.terminate()


@dataclass(frozen=True, slots=True)
class Running:
    """A kubectl that still runs: what can be typed and what it prints."""

    typed: IO[str]
    shown: IO[str]

    def line(self, pattern: str) -> re.Match[str]:
        """The first line that matches. Raises AssertionError when kubectl ends before it."""
        seen = []
        for line in self.shown:
            seen.append(line)
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"no line like {pattern!r} in {''.join(seen)!r}")


@dataclass(frozen=True, slots=True)
class Trial:
    """A kubectl command line, without `kubectl`, and the function that tries it."""

    command: str
    attempt: Callable[[Bench], None]

    @property
    def tried(self) -> str:
        """What is tried, in one line."""
        return (self.attempt.__doc__ or "").splitlines()[0].rstrip(".")


def config_map(name: str, **data: str) -> dict[str, Any]:
    """A ConfigMap, the object most trials change."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def sleeping_pod(name: str, image: str, **labels: str) -> dict[str, Any]:
    """A pod that does nothing and ends at once when asked to."""
    container = {"name": "main", "image": image, "command": ["sh", "-c", "trap exit TERM; sleep 3600 & wait"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name, **labels}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }


def sleeping_deployment(name: str, image: str, replicas: int = 1) -> dict[str, Any]:
    """A Deployment of pods that do nothing."""
    pod = sleeping_pod(name, image)
    template = {"metadata": {"labels": {"app": name}}, "spec": pod["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def furnish(bench: Bench) -> None:
    """Make what may be looked at: the pod `POD`, the Deployment and Service `WEB`, all running."""
    pod = sleeping_pod(POD, BUSYBOX)
    pod["spec"]["containers"][0] |= {"name": POD, "command": ["sh", "-c", _COUNTING]}
    bench.apply(pod)
    bench.run("create", "deployment", WEB, f"--image={NGINX}", "--replicas=2", "--port=80")
    bench.run("expose", "deployment", WEB)
    bench.run("rollout", "status", f"deployment/{WEB}", "--timeout=60s")
    bench.run("wait", f"pod/{POD}", "--for=condition=Ready", "--timeout=60s")
