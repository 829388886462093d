"""client-go's streams, which need containers; the programs are in `tests/other_languages/go/streams`."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.cluster import NGINX, LiveCluster
from tests.other_languages.programs import go_binary, told

pytestmark = pytest.mark.skipif(
    shutil.which("go") is None, reason="no Go toolchain: programs in Go are left out"
)
BOTH_KINDS = 3
"""A test of each kind of connection, and the one around them."""

Try = Callable[[str], None]


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return go_binary("./streams", tmp_path_factory.mktemp("go") / "streams.test")


@pytest.fixture(scope="module")
def pod(cluster: LiveCluster) -> Iterator[str]:
    """A namespace with a pod of nginx, which is called as the namespace is."""
    name = f"streams-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("run", name, "-n", name, f"--image={NGINX}", "--port=80")
    cluster.kubectl("wait", f"pod/{name}", "-n", name, "--for=condition=Ready", "--timeout=60s")
    yield name
    cluster.kubectl("delete", "namespace", name, "--timeout=90s")


@pytest.fixture
def shown(streams: Path, pod: str, kubeconfig: str) -> Try:
    """Runs one of the Go tests, over WebSockets and over SPDY."""

    def run(name: str) -> None:
        said = told(
            [str(streams), "-test.v", f"-test.run=^{name}$", "-test.timeout=180s"],
            Path(kubeconfig),
            NAMESPACE=pod,
            POD=pod,
        )
        assert said.count("--- PASS") == BOTH_KINDS, said

    return run


def test_commands(shown: Try) -> None:
    """Commands over WebSockets and SPDY: outputs, a megabyte of input, exit codes, what cannot start."""
    shown("TestCommands")


def test_terminal(shown: Try) -> None:
    """A terminal of a given size over WebSockets and SPDY, with something typed."""
    shown("TestATerminalOfASize")


def test_broken_off(shown: Try) -> None:
    """A command broken off by its client, over WebSockets and SPDY."""
    shown("TestACommandBrokenOff")


def test_ports(shown: Try) -> None:
    """Ports of a pod over SPDY, plain and in WebSockets; one of them nobody listens on."""
    shown("TestPortsOfAPod")
