"""The commands beside `up` and `down`: status --watch, logs, image pack, server and agent in front."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import SLOT, LiveCluster, slot_flags, until
from tests.live.machine import footprint
from tests.timing import PATIENCE_S


@contextmanager
def running(cluster: LiveCluster, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A `wherry ...` that goes on until it is told to end."""
    process = subprocess.Popen(
        [str(cluster.program), *arguments],
        env=cluster.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def documents(process: subprocess.Popen[str]) -> Iterator[Any]:
    """Every JSON document a command prints, as it prints it."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line.startswith("}"):
            yield json.loads(text)
            text = ""


def test_status_watch_tells_every_change(cluster: LiveCluster) -> None:
    with running(cluster, "status", "--watch", "-o", "json") as watching:
        told = documents(watching)
        first = next(told)
        assert first["ready"]
        pids = {item["name"]: item["pid"] for item in first["components"]}
        os.kill(pids["agent"], signal.SIGKILL)
        assert not next(state for state in told if not state["ready"])["ready"]
        back = next(state for state in told if state["ready"])
        agent = next(item for item in back["components"] if item["name"] == "agent")
        assert agent["pid"] not in (None, pids["agent"])
        watching.send_signal(signal.SIGINT)
        assert watching.wait(PATIENCE_S) == 0
    cluster.kubectl("wait", "node/live", "--for=condition=Ready", "--timeout=60s")


def test_up_again_changes_nothing(cluster: LiveCluster) -> None:
    before = [(item["name"], item["pid"]) for item in cluster.status()["components"]]
    said = cluster.up()
    assert "node live is Ready" in said
    assert [(item["name"], item["pid"]) for item in cluster.status()["components"]] == before


def test_changed_settings_reach_a_cluster_that_runs(stopped: LiveCluster) -> None:
    """What `up` and `start` say is there is there: the ports answer, the node is Ready."""
    flags = dict(flag.split("=") for flag in stopped.flags)
    port, kubelet = int(flags["--api-port"]) + 100, int(flags["--kubelet-port"]) + 100
    stopped.wherry("start")
    said = stopped.try_wherry("up", f"--api-port={port}", f"--kubelet-port={kubelet}", "--log-level=DEBUG")
    assert said.code == 0, said.err
    assert f"https://127.0.0.1:{port}" in said.out
    assert "is started again with another --api-port" in said.err
    assert stopped.kubectl("get", "--raw", "/readyz") == "ok"
    node = stopped.get("node", "live")
    assert node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == kubelet
    again = stopped.try_wherry("up")
    assert "runs already" in again.out
    assert "*" not in again.err


def test_a_normal_start_warns_of_nothing(stopped: LiveCluster) -> None:
    before = stopped.wherry("logs", "agent", "-n", "100000")
    stopped.wherry("start")
    after = stopped.wherry("logs", "agent", "-n", "100000").removeprefix(before)
    assert [line for line in after.splitlines() if " W " in line or " E " in line] == []


def test_version_tells_the_api_level(cluster: LiveCluster) -> None:
    told = json.loads(cluster.wherry("version", "-o", "json"))
    assert told["kubernetes"] == json.loads(cluster.kubectl("get", "--raw", "/version"))["gitVersion"]
    assert told["version"] == cluster.status()["version"]


def test_kubeconfig_is_printed_and_merged(cluster: LiveCluster, tmp_path: Path) -> None:
    printed = tmp_path / "admin"
    printed.write_text(cluster.wherry("kubeconfig"))
    assert cluster.kubectl("--kubeconfig", str(printed), "auth", "can-i", "*", "*").strip() == "yes"
    mine = tmp_path / "mine"
    other = LiveCluster(directory=cluster.directory, variables={"KUBECONFIG": str(mine)})
    other.kubectl("config", "set-context", "elsewhere", "--user=me")
    assert other.wherry("kubeconfig", "--merge").strip() == f"Context wherry-{cluster.name} is in {mine}."
    assert other.kubectl("config", "current-context").strip() == f"wherry-{cluster.name}"
    assert other.kubectl("config", "get-contexts", "-o", "name").split() == [
        "elsewhere",
        f"wherry-{cluster.name}",
    ]


def test_logs_are_printed_and_followed(cluster: LiveCluster) -> None:
    assert 0 < len(cluster.wherry("logs").splitlines()) <= 100
    assert "controllers run" in cluster.wherry("logs", "-n", "1000000")
    assert len(cluster.wherry("logs", "server", "--lines", "1").splitlines()) == 1
    assert "node live is ready" in cluster.wherry("logs", "agent", "-n", "1000000")
    assert "msg=" in cluster.wherry("logs", "containerd")
    # From its beginning: who is slow to follow would miss what is told meanwhile.
    with running(cluster, "logs", "supervisor", "-f", "-n", "1000000") as following:
        agent = cluster.pid("agent")
        os.kill(agent, signal.SIGKILL)
        assert following.stdout is not None
        patience = threading.Timer(60, following.kill)
        patience.start()
        told = f"W wherry.cluster.supervisor: agent (pid {agent}) ended: "
        assert any(told in line for line in following.stdout)
        patience.cancel()
    cluster.kubectl("wait", "node/live", "--for=condition=Ready", "--timeout=60s")


def test_logs_of_what_has_none(cluster: LiveCluster) -> None:
    done = cluster.try_wherry("logs", "scheduler")
    assert done.code == 2
    assert done.err.strip() == (
        "wherry: 'scheduler' has no log; use one of server, agent, supervisor, containerd"
    )


def test_an_image_packed_from_files_runs(cluster: LiveCluster, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "run.sh").write_text("#!/bin/sh\ncat /app/greeting; echo $WHOM\n")
    (tmp_path / "app" / "run.sh").chmod(0o755)
    (tmp_path / "app" / "greeting").write_text("good day\n")
    archive = tmp_path / "app.tar"
    cluster.wherry(
        *("image", "pack", "busybox-static", "--file", f"{tmp_path / 'app'}:/app", "--cmd", "/app/run.sh"),
        *("--env", "WHOM=world", "--name", "example.com/app:1", "--output", str(archive)),
    )
    assert cluster.wherry("image", "load", str(archive)).strip() == "example.com/app:1"
    assert "example.com/app:1" in json.loads(cluster.wherry("image", "list", "-o", "json"))
    cluster.kubectl("run", "app", "-n", namespace, "--image=example.com/app:1", "--restart=Never")
    cluster.kubectl(
        "wait", "-n", namespace, "pod/app", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s"
    )
    assert cluster.kubectl("logs", "-n", namespace, "app") == "good day\nworld\n"


@pytest.fixture
def stopped(cluster: LiveCluster) -> Iterator[LiveCluster]:
    """A cluster of its own that was made and then stopped."""
    own = LiveCluster(
        directory=cluster.directory,
        name=f"front{SLOT}",
        flags=slot_flags(SLOT + 10),
        variables={"KUBECONFIG": str(cluster.directory / "front-kubeconfig")},
    )
    own.up()
    own.wherry("stop")
    yield own
    own.wherry("delete")
    assert footprint(own.marks).found() == {}


def test_server_and_agent_in_the_foreground(stopped: LiveCluster) -> None:
    assert stopped.try_wherry("status").code == 3
    with running(stopped, "server") as server, running(stopped, "agent") as agent:
        until(lambda: stopped.try_kubectl("get", "--raw", "/readyz").out == "ok")
        stopped.kubectl("wait", "node/live", "--for=condition=Ready", "--timeout=60s")
        until(lambda: stopped.try_wherry("status").code == 0)  # the node may be Ready from before
        assert {stopped.pid("server"), stopped.pid("agent")} == {server.pid, agent.pid}
        for process in (agent, server):
            process.terminate()
            _, err = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 0, err
    assert stopped.try_wherry("status").code == 3


def test_a_server_that_runs_already_is_not_run_twice(cluster: LiveCluster) -> None:
    pid = cluster.pid("server")
    done = cluster.try_wherry("server")
    assert done.code == 1
    assert done.err.strip() == (
        f"wherry: the server of cluster '{cluster.name}' runs already (pid {pid}); "
        f"end it with: wherry stop --name {cluster.name}"
    )
    assert cluster.pid("server") == pid
    assert cluster.kubectl("get", "--raw", "/readyz") == "ok"
