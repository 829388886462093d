"""An API server alone: one process over a store of its own, without controllers, scheduler or node.

What is measured here is the server itself, over TLS on loopback, by clients with a certificate of
`system:masters`.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.cluster import ENVIRONMENT
from bench.objects import NAMESPACE
from wherry.cluster.addresses import node_ip
from wherry.cluster.catalog import APISERVER, component_called
from wherry.cluster.components import READY_FD_VARIABLE
from wherry.cluster.config import Setup, dump_config
from wherry.cluster.identities import ADMIN, ensure_identities
from wherry.cluster.leaves import KeyPair
from wherry.cluster.paths import ClusterPaths

NAME = "bench-alone"
START_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Access:
    """How a client of any process reaches the server; plain data, so it can be handed to one."""

    port: int
    ca_file: Path
    admin: KeyPair

    def tls(self) -> ssl.SSLContext:
        """The client's side of TLS, with the administrator's certificate."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        context.load_cert_chain(str(self.admin.cert), str(self.admin.key))
        return context

    def connect(self) -> http.client.HTTPSConnection:
        """A connection that is opened by its first request."""
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls(), timeout=60)


class Alone:
    """An API server process with a directory of its own; a context that deletes both."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="wherry-alone-"))
        self.paths = ClusterPaths.of(NAME, self._directory / "data", self._directory / "run")
        port = _free_port()
        setup = Setup.of(NAME, api_port=port, node_name="bench", log_level="WARNING")
        self.paths.data.mkdir(parents=True)
        self.paths.run.mkdir(parents=True)
        self.paths.config.write_text(dump_config(setup))
        identities = ensure_identities(setup, self.paths, node_ip(setup.cluster), datetime.now(UTC))
        self.access = Access(port, identities.authority.cert, identities.of(ADMIN))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Alone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The process. Raises RuntimeError when it does not run."""
        if self._process is None:
            raise RuntimeError("the API server was not started")
        return self._process.pid

    def start(self) -> float:
        """Start the process; seconds until `/readyz` answered 200 over TLS."""
        tls = self.access.tls()
        reader, writer = os.pipe()
        started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", component_called(APISERVER).module, f"--data-dir={self.paths.data}"],
            env={**ENVIRONMENT, READY_FD_VARIABLE: str(writer)},
            pass_fds=(writer,),
        )
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            # It tells when it listens; nothing is told, and the pipe closed, if it ends before.
            told, _, _ = select.select([ready], [], [], START_TIMEOUT_S)
            if not told:
                raise RuntimeError(f"the API server was not ready in {START_TIMEOUT_S:.0f} s")
            if not ready.read(1):
                raise RuntimeError(f"the API server ended with code {self._process.wait()}")
        if not _is_ready(self.access.port, tls):
            raise RuntimeError("the API server listens, but is not ready")
        return time.monotonic() - started

    def make_namespace(self) -> None:
        """Make the namespace of `bench.objects`, with the account its pods run as."""
        api = Api(self.access)
        api.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        account = {"metadata": {"name": "default"}}
        api.send("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", account)
        api.close()

    def stop(self) -> None:
        """End the process; its store stays."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def resident_mb(self) -> float:
        """Megabytes of memory the process has resident now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def peak_mb(self) -> float:
        """The most it ever had resident since its start."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


class Api:
    """Requests on one connection, one after the other."""

    def __init__(self, access: Access) -> None:
        self._connection = access.connect()

    def send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, content_type: str = ""
    ) -> bytes:
        """One request; the body of its answer. Raises RuntimeError for anything but success."""
        headers = {"Content-Type": content_type or "application/json"} if body is not None else {}
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300].decode('utf-8', 'replace')}")
        return content

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _is_ready(port: int, tls: ssl.SSLContext) -> bool:
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=tls, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
