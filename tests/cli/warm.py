"""`wherry ...` as a process of its own, without waiting for Python to load it: `Warm`.

One process has the command line loaded and forks another for each command, with the command's arguments,
variables, directory and streams. How a process starts (closed streams, say) is tried with real ones.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

TIMEOUT_S = 60.0
MOST_BYTES = 1 << 20
NOBODY = 65534


class Warm:
    """The process that forks; it ends with this one, or when closed."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.cli.warm", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command, cwd=Path(__file__).parents[2], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
        )
        theirs.close()
        self._socket.settimeout(TIMEOUT_S)
        assert self._socket.recv(MOST_BYTES) == b"ready"

    def run(
        self,
        arguments: Sequence[str],
        cwd: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        *,
        as_nobody: bool = False,
        stdout: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """What `wherry *arguments` wrote (or has written to `stdout`) and how it ended.

        `as_nobody` is without root's rights.
        """
        told = {
            "arguments": list(arguments),
            "cwd": str(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
            "as_nobody": as_nobody,
        }
        with contextlib.ExitStack() as files:
            out, err = (files.enter_context(tempfile.TemporaryFile()) for _ in range(2))
            nothing = files.enter_context(open(os.devnull))
            to = out if stdout is None else files.enter_context(stdout.open("wb"))
            streams = [nothing.fileno(), to.fileno(), err.fileno()]
            socket.send_fds(self._socket, [json.dumps(told).encode()], streams)
            code = int(self._socket.recv(MOST_BYTES))
            return subprocess.CompletedProcess(["wherry", *arguments], code, _all_of(out), _all_of(err))

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait(TIMEOUT_S)


def _all_of(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode()


@lru_cache(1)
def warm() -> Warm:
    """The one of this process, from its first use on."""
    made = Warm()
    atexit.register(made.close)
    return made


def _load() -> None:
    """Load whatever a command may need: somebody without rights may not be able to read the checkout."""
    import importlib
    import pkgutil

    import wherry.api.catalog
    import wherry.api.serving
    import wherry.cli.main
    import wherry.cluster
    import wherry.kubelet.sysctls

    for package in (wherry.cluster, wherry.cli):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)
    sys.argv = ["wherry", "version"]  # what the first command loads
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        wherry.cli.main.main()


def _become(told: Mapping[str, Any], streams: Sequence[int]) -> None:
    """Be the command that was asked for; never returns."""
    from wherry.cli.main import main

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(told["env"])
    if told["as_nobody"]:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    os.chdir(told["cwd"])
    sys.argv = ["wherry", *told["arguments"]]
    main()


def _serve(asked: socket.socket) -> None:
    _load()
    asked.send(b"ready")
    while True:
        text, streams, _, _ = socket.recv_fds(asked, MOST_BYTES, 3)
        if not text:
            return
        child = os.fork()
        if child == 0:
            asked.close()
            _become(json.loads(text), streams)
            sys.exit(0)
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(child, 0)
        asked.send(str(os.waitstatus_to_exitcode(status)).encode())


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
