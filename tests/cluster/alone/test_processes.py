"""API server, controllers and scheduler as processes of their own: a Deployment becomes Available."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import yaml

from tests.cluster.test_controller_rights import workload
from tests.ports import free_port
from tests.timing import PATIENCE_S
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.coordination.leases import LEASES
from wherry.api.core.events import EVENTS
from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.cluster.alone.access import read_access
from wherry.cluster.catalog import component_called
from wherry.cluster.components import READY_FD_VARIABLE
from wherry.hollow.hollow import HollowNodes
from wherry.hollow.machines import NodeTemplate
from wherry.kit.clock import SystemClock
from wherry.objects.conditions import is_true
from wherry.objects.meta import name_of

pytestmark = pytest.mark.slow


class Processes:
    """Components alone, all of which end with the test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def start(self, name: str, *flags: str, label: str = "") -> None:
        """Start one, and return when it is ready. Fails with its log when it ends instead."""
        reader, writer = os.pipe()
        log = self.directory / f"{label or name}.log"
        with log.open("wb") as output:
            self.running[label or name] = subprocess.Popen(
                [sys.executable, "-m", component_called(name).module, *flags],
                env={**os.environ, READY_FD_VARIABLE: str(writer)},
                pass_fds=(writer,),
                stderr=output,
            )
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            assert ready.read(1) == b"\n", log.read_text()

    def end(self, label: str, number: signal.Signals = signal.SIGTERM) -> int:
        """End one; its exit code."""
        process = self.running.pop(label)
        process.send_signal(number)
        return process.wait(60)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    try:
        yield made
    finally:
        for process in reversed(made.running.values()):
            process.kill()
            process.wait()


def health(port: int, path: str) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(
        f"https://127.0.0.1:{port}{path}", context=context, timeout=PATIENCE_S
    ) as answer:
        text: str = answer.read().decode()
        return text


async def roll_out(client: Client, name: str) -> None:
    """Make a Deployment and wait until it is Available."""
    deployment = workload("Deployment", name, 2)
    deployment["metadata"]["namespace"] = "default"
    await client.create(DEPLOYMENTS, deployment)
    async with asyncio.timeout(PATIENCE_S):
        async for event in client.watch(DEPLOYMENTS, "default", field_selector=f"metadata.name={name}"):
            if is_true((event.object.get("status") or {}).get("conditions"), "Available"):
                return


async def holder(client: Client, name: str) -> str:
    found: str = (await client.get(LEASES, name, "kube-system"))["spec"]["holderIdentity"]
    return found


def explained(kubeconfig: Path, pod: str) -> str:
    command = [
        sys.executable,
        "-m",
        "wherry.cli.main",
        "explain",
        "pod",
        pod,
        "--kubeconfig",
        str(kubeconfig),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


async def test_a_deployment_becomes_available(processes: Processes) -> None:
    port, health_port = free_port(), free_port()
    processes.start("apiserver", f"--data-dir={processes.data}", f"--secure-port={port}")
    kubeconfigs = processes.data / "kubeconfigs"
    manager = f"--kubeconfig={kubeconfigs / 'controllers.kubeconfig'}"
    short = [f"--leader-elect-{what}" for what in ("lease-duration=3s", "renew-deadline=2s")]
    short.append("--leader-elect-retry-period=500ms")
    processes.start("controllers", manager, f"--secure-port={health_port}", *short)
    scheduler = f"--kubeconfig={kubeconfigs / 'scheduler.kubeconfig'}"
    processes.start("scheduler", scheduler, "--secure-port=0", "--profiling")
    assert "--profiling changes nothing here" in (processes.directory / "scheduler.log").read_text()
    assert health(health_port, "/healthz") == "ok"
    assert "[+]leaderElection ok" in health(health_port, "/readyz?verbose")

    client = Client(read_access(processes.data / "admin.kubeconfig").transport("test"))
    nodes = HollowNodes(client, SystemClock(), Random(1), NodeTemplate(count=2))
    await nodes.start()
    try:
        await roll_out(client, "first")
        leader = await holder(client, "kube-controller-manager")
        processes.start("controllers", manager, "--secure-port=0", *short, label="other")
        assert await holder(client, "kube-controller-manager") == leader
        processes.end("controllers", signal.SIGKILL)
        await roll_out(client, "second")
        assert await holder(client, "kube-controller-manager") != leader
        pods = (await client.list(PODS, "default")).items
        assert all(pod["spec"]["nodeName"] for pod in pods)
        told = explained(processes.data / "admin.kubeconfig", name_of(pods[0]))
        assert told.startswith(f"default/{name_of(pods[0])} goes to {pods[0]['spec']['nodeName']}, of 2 of 2")
        assert processes.end("other") == 0
        assert await holder(client, "kube-controller-manager") == ""
        said = {(one["reason"], one["source"]["component"]) for one in (await client.list(EVENTS)).items}
        assert {("LeaderElection", "kube-controller-manager")} <= said
        processes.start("controllers", manager, "--secure-port=0", *short, label="last")
        await until_led(client, "kube-controller-manager")
        assert processes.end("scheduler") == 0
        assert processes.end("apiserver") == 0
        assert processes.running.pop("last").wait(60) == 1, "it cannot renew its lease, and acts no more"
        assert "leaderelection lost" in (processes.directory / "last.log").read_text()
    finally:
        await nodes.close()
        await client.close()


async def until_led(client: Client, name: str) -> None:
    """Return once somebody holds the lease."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in client.watch(LEASES, "kube-system", field_selector=f"metadata.name={name}"):
            if event.object["spec"].get("holderIdentity"):
                return


def run(name: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", component_called(name).module, *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("name", "flags", "code", "said"),
    [
        (
            "apiserver",
            [],
            2,
            "Error: --data-dir is missing: objects are kept below it; see: wherry",
        ),
        ("apiserver", ["--etcd-servers=http://x"], 2, "Error: --etcd-servers: objects are kept in SQLite"),
        ("controllers", ["--leader-elect=x"], 2, 'Error: invalid argument "x" for "--leader-elect" flag'),
        ("scheduler", ["--kubeconfig=/nowhere"], 2, "Error: /nowhere: no such file; check --kubeconfig"),
        ("scheduler", ["--config=/nowhere"], 2, "Error: /nowhere: No such file or directory; check --config"),
    ],
)
def test_what_cannot_be_followed_is_said_in_one_line(
    name: str, flags: list[str], code: int, said: str
) -> None:
    done = run(name, *flags)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_a_port_in_use_is_said_with_the_flag_that_chooses_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("apiserver", f"--data-dir={tmp_path / 'data'}", f"--secure-port={port}")
    assert done.returncode == 78
    assert f"cannot listen on 127.0.0.1:{port}: " in done.stderr
    assert "choose with --secure-port" in done.stderr


@pytest.mark.parametrize("elects", ["true", "false"])
def test_a_second_process_says_that_its_port_is_taken_and_no_more(tmp_path: Path, elects: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        flags = [f"--secure-port={port}", "--bind-address=127.0.0.1", f"--leader-elect={elects}"]
        done = run("controllers", f"--kubeconfig={kubeconfig_to_nowhere(tmp_path)}", *flags)
    assert done.returncode == 78
    assert [line for line in done.stderr.splitlines() if "changes nothing" not in line] == [
        f"Error: cannot listen on 127.0.0.1:{port}: Address already in use; choose with --secure-port"
    ]


def kubeconfig_to_nowhere(directory: Path) -> Path:
    """A kubeconfig whose API server is not there."""
    path = directory / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{free_port()}"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )
    return path


@pytest.mark.parametrize("name", ["controllers", "scheduler"])
def test_whoever_waits_for_an_api_server_ends_when_told(tmp_path: Path, name: str) -> None:
    flags = ["--leader-elect=false", "--secure-port=0", f"--kubeconfig={kubeconfig_to_nowhere(tmp_path)}"]
    command = [sys.executable, "-m", component_called(name).module, *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline(), "it says that nobody answers"
        process.terminate()
        said = process.stderr.read()
        assert process.wait(60) == 0, said
    assert "Unclosed" not in said


def test_a_wrong_controller_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    command = [sys.executable, "-m", component_called("controllers").module, "--controllers=bogus"]
    command.append(f"--kubeconfig={kubeconfig_to_nowhere(tmp_path)}")
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 2
    assert "--controllers: 'bogus' is not a known controller" in ran.stderr


def test_a_second_api_server_leaves_the_firsts_kubeconfigs_alone(processes: Processes) -> None:
    port = free_port()
    processes.start("apiserver", f"--data-dir={processes.data}", f"--secure-port={port}")
    kubeconfigs = {path: path.read_text() for path in processes.data.rglob("*.kubeconfig")}
    assert len(kubeconfigs) > 2
    command = [sys.executable, "-m", component_called("apiserver").module, f"--data-dir={processes.data}"]
    command.append(f"--secure-port={free_port()}")
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 78
    assert "the store is in use" in ran.stderr
    assert {path: path.read_text() for path in kubeconfigs} == kubeconfigs
    assert f"serving on port {port}" in (processes.directory / "apiserver.log").read_text()
