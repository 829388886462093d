"""The components of a cluster, each a process of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live.cluster import WHERRY, LiveCluster
from tests.timing import PATIENCE_S
from wherry.cluster.components import READY_FD_VARIABLE
from wherry.cluster.config import Setup, read_config_file
from wherry.cluster.identities import KUBELET_SERVER, find_identities
from wherry.cluster.node import Node


class Alone:
    """The components of a stopped cluster, each started alone by its command."""

    def __init__(self, cluster: LiveCluster, logs: Path) -> None:
        self._cluster = cluster
        self._logs = logs
        self._running: list[subprocess.Popen[bytes]] = []
        self.setup = read_config_file(cluster.paths.config, Setup.of())
        self.node = Node.of(cluster.name, self.setup.node.name, cluster.paths)

    def start(self, name: str, *flags: str) -> None:
        """Start one, and return when it is ready."""
        reader, writer = os.pipe()
        log = self._logs / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(WHERRY), name, *flags],
                env={**self._cluster.environment, READY_FD_VARIABLE: str(writer)},
                pass_fds=(writer,),
                stderr=output,
            )
        self._running.append(process)
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            assert ready.read(1) == b"\n", log.read_text()

    def kubeconfig(self, name: str) -> str:
        """The flag that says who a component is."""
        return f"--kubeconfig={self._cluster.paths.kubeconfig(name)}"

    def kubelet_flags(self) -> tuple[str, ...]:
        """Which node the kubelet is of, and who may ask it; not where the API server is."""
        setup, node = self.setup, self.node
        serving = find_identities(setup, self._cluster.paths).of(KUBELET_SERVER)
        return (
            "--healthz-port=0",
            f"--hostname-override={setup.node.name}",
            f"--node-ip={setup.cluster.server_address}",
            f"--port={setup.node.kubelet_port}",
            f"--root-dir={node.paths.kubelet}",
            f"--pod-logs-dir={node.paths.pod_logs}",
            f"--pods-cgroup={node.names.cgroup_root}",
            f"--container-runtime-endpoint=unix://{node.containerd.socket}",
            f"--client-ca-file={self._cluster.paths.pki / 'ca.crt'}",
            f"--tls-cert-file={serving.cert}",
            f"--tls-private-key-file={serving.key}",
        )

    def kill(self) -> None:
        """Kill the last one that was started, as if it had crashed."""
        process = self._running.pop()
        process.kill()
        process.wait(PATIENCE_S)

    def end(self) -> list[int]:
        """End all, the last first; their exit codes."""
        codes = []
        for process in reversed(self._running):
            process.terminate()
            codes.append(process.wait(PATIENCE_S))
        self._running.clear()
        return codes


@contextmanager
def stopped(cluster: LiveCluster, logs: Path) -> Iterator[Alone]:
    """The cluster's components, none of which runs; afterwards it is started again."""
    cluster.wherry("stop")
    made = Alone(cluster, logs)
    try:
        yield made
    finally:
        made.end()
        cluster.up()
