"""Starting a component for the supervisor: with its pid file locked before it is there."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from wherry.cluster.components import (
    LOCK_FD_VARIABLE,
    READY_FD_VARIABLE,
    TUNING,
    command_of,
    error_file,
)
from wherry.cluster.paths import ClusterPaths
from wherry.kit.pid_files import sign
from wherry.kit.processes import ProcessRecord


@dataclass(frozen=True, slots=True)
class Spawned:
    """A process that was started: `pidfd` tells its end, a byte in the pipe `ready` that it is ready."""

    popen: subprocess.Popen[bytes]
    pidfd: int
    ready: int


def spawn(component: str, name: str, paths: ClusterPaths, lock: int) -> Spawned:
    """Start `component` of the cluster `name`, which gets the pid file's `lock` (a descriptor).

    Should we be killed meanwhile, the child holds the lock and signs the file itself. Raises OSError,
    and has started nothing then.
    """
    paths.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    error_file(component, paths).unlink(missing_ok=True)
    reader, writer = os.pipe()
    try:
        with paths.log_file(component).open("ab") as output:
            popen = subprocess.Popen(
                command_of(component, name, paths),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(writer, lock),
                start_new_session=True,
                env={
                    **os.environ,
                    **TUNING,
                    READY_FD_VARIABLE: str(writer),
                    LOCK_FD_VARIABLE: str(lock),
                },
            )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    try:
        pidfd = os.pidfd_open(popen.pid)
        record = ProcessRecord.of(popen.pid)
        if record is not None:
            sign(lock, record)
    except BaseException:
        popen.kill()
        popen.wait()
        os.close(reader)
        raise
    return Spawned(popen, pidfd, reader)
