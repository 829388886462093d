"""Seconds until ten replicas of a Deployment are Ready, from the request that makes it."""

from __future__ import annotations

import time

from bench.cluster import NAME, BenchCluster
from bench.figures import Figure

IMAGE = "docker.io/library/busybox:1.35"
REPLICAS = 10


def measure_deployment(cluster: BenchCluster) -> list[Figure]:
    """A Deployment of ten busybox pods, then its deletion."""
    archive = cluster.directory / "busybox.tar"
    cluster.run("image", "pack", "busybox-static", "--name", IMAGE, "--output", str(archive))
    cluster.run("image", "load", str(archive), "--name", NAME)
    started = time.monotonic()
    cluster.kubectl(
        "create", "deployment", "ten", f"--image={IMAGE}", f"--replicas={REPLICAS}", "--", "sleep", "3600"
    )
    cluster.kubectl("rollout", "status", "deployment/ten", "--timeout=120s")
    took_s = time.monotonic() - started
    cluster.kubectl("delete", "deployment", "ten", "--wait=false")
    return [Figure(f"{REPLICAS}-replica Deployment Ready", took_s, "s")]
