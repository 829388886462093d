"""Operators written with kopf, run by its own command."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.live.cluster import LiveCluster
from tests.timing import PATIENCE_S


@contextlib.contextmanager
def operator(
    cluster: LiveCluster, namespace: str, directory: Path, source: str, **variables: str
) -> Iterator[None]:
    """The operator, running until the end of the block; it must end well when asked to."""
    script = directory / "operator.py"
    script.write_text(source)
    log = directory / "log"
    command = [str(Path(sys.executable).with_name("kopf")), "run", f"--namespace={namespace}", "--standalone"]
    with (
        log.open("w") as file,
        subprocess.Popen(
            [*command, "--verbose", str(script)],
            env={**cluster.environment, **variables},
            stdout=file,
            stderr=file,
        ) as process,
    ):
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(PATIENCE_S)
    assert code == 0, log.read_text()
    assert "Traceback" not in log.read_text(), log.read_text()
