"""A suite of 300 tests with the `wherry` fixture under pytest-xdist; what its workers hold at their end."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from bench.cluster import ENVIRONMENT

TESTS = 300
WORKERS = 2
SUITE = f'''
import ssl
import urllib.request

import pytest

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: c, image: nginx}}]}}
"""


@pytest.mark.wherry(nodes=1)
@pytest.mark.parametrize("number", range({TESTS}))
def test_a_deployment(wherry, number):
    wherry.apply(WEB)
    wherry.wait("deployment/web", "Available")
    if number % 10 == 0:
        _reach_from_outside(wherry)
    if number % 10 == 5:
        with wherry.fork() as fork:
            fork.client.delete("deploy", "web")
            fork.wait("deploy/web", "deleted")


def _reach_from_outside(wherry):
    assert wherry.kubeconfig.exists()
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(wherry.url + "/readyz", context=trusting) as answer:
        assert answer.read() == b"ok"
'''
COUNTING = '''
import asyncio
import collections
import gc
import json
import os
import threading
import time
from pathlib import Path

import pytest

finished = 0
first = {}


def counted():
    """What this worker holds, by kind, without what lies there to be collected."""
    gc.collect()
    kinds = collections.Counter()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue  # the directory that is being listed
        kinds["sockets" if target.startswith("socket:") else "files"] += 1
    for thing in gc.get_objects():
        if isinstance(thing, asyncio.Task):
            kinds["tasks"] += not thing.done()
        elif isinstance(thing, asyncio.AbstractEventLoop):
            kinds["loops"] += not thing.is_closed()
        elif type(thing).__name__ in ("Cluster", "ControlPlane", "MemoryStore"):
            kinds["clusters"] += 1
    kinds["threads"] = len(os.listdir("/proc/self/task"))
    kinds["python threads"] = threading.active_count()
    kinds["child processes"] = sum(
        len(Path(f"/proc/self/task/{task}/children").read_text().split())
        for task in os.listdir("/proc/self/task")
    )
    return dict(kinds)


def pytest_runtest_logfinish():
    global finished
    finished += 1
    if finished == 1 and "PYTEST_XDIST_WORKER" in os.environ:
        first.update(counted())


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish():
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        found = {"tests": finished, "cpu_s": time.process_time(), "first": first, "last": counted()}
        Path(__file__).with_name(f"{worker}.json").write_text(json.dumps(found))
'''


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker held after its first test and after its last one, by kind ("tasks", "files", ...)."""

    tests: int
    cpu_s: float
    first: dict[str, int]
    last: dict[str, int]


@dataclass(frozen=True, slots=True)
class Ran:
    """A run of the suite: seconds from start to end, pytest's imports included, and its workers."""

    seconds: float
    workers: list[Worker]
    left: list[str]
    """What still lies where the workers had their temporary files."""


def run_suite(directory: Path) -> Ran:
    """Run the suite in the empty `directory`. Raises CalledProcessError when a test fails."""
    (directory / "conftest.py").write_text(COUNTING)
    (directory / "test_suite.py").write_text(SUITE)
    (directory / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\naddopts = --strict-markers -W error\n"
    )
    scratch = directory / "scratch"
    scratch.mkdir()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        str(WORKERS),
        "--basetemp",
        "own",
    ]
    # Where this runs in a worker of another pytest, the suite must not take that one's name for its own.
    clean = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("PYTEST_")}
    began = perf_counter()
    subprocess.run(
        command,
        cwd=directory,
        env={**clean, "TMPDIR": str(scratch)},
        capture_output=True,
        check=True,
        timeout=300,
    )
    elapsed_s = perf_counter() - began
    workers = [Worker(**json.loads(file.read_text())) for file in sorted(directory.glob("gw*.json"))]
    return Ran(elapsed_s, workers, sorted(path.name for path in scratch.iterdir()))
