"""Programs in other languages, run against a cluster that is told to them by $KUBECONFIG."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).parent
RESTART = "wherry: restart"
"""A line with which a program asks for another API server; "done" is the answer."""
TIMEOUT_S = 900.0


def built(command: Sequence[str], where: Path, **variables: str) -> None:
    """Run a build in `where`, which must succeed."""
    ran = subprocess.run(
        command,
        cwd=where,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert ran.returncode == 0, f"{ran.stdout[-5000:]}\n{ran.stderr[-5000:]}"


def go_binary(package: str, target: Path) -> Path:
    """The tests of a Go package of ours, built as one program at `target`."""
    built(
        ["go", "test", "-c", "-o", str(target), package],
        HERE / "go",
        GOFLAGS="-mod=readonly",
    )
    return target


@contextlib.contextmanager
def served(kubeconfig: Path, *flags: str) -> Iterator[Path]:
    """`wherry test-server` with these flags; its kubeconfig."""
    command = [sys.executable, "-m", "wherry.cli.main", "test-server", "-o", "json", *flags]
    with subprocess.Popen(
        [*command, "--kubeconfig", str(kubeconfig)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield Path(json.loads(process.stdout.readline())["kubeconfig"])
        finally:
            process.terminate()
    assert process.returncode == 0


def told(
    command: Sequence[str], kubeconfig: Path, restart: Callable[[], None] | None = None, **variables: str
) -> str:
    """Run a program to its good end; its output. `restart` is called when it asks for another API server."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), **variables}
    if restart is not None:
        environment["WHERRY_RESTARTS"] = "1"
    lines: list[str] = []
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if restart is not None and line.strip() == RESTART:
                restart()
                process.stdin.write("done\n")
                process.stdin.flush()
    said = "".join(lines)
    assert process.returncode == 0, said[-8000:]
    return said
