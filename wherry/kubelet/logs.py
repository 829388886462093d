"""Container logs on disk: where they are, and keeping them from growing without bound.

`<log dir>/<namespace>_<pod>_<uid>/<container>/<attempt>.log`, as upstream. A file past its size is
renamed with a time stamp, the runtime begins a new one, older ones are compressed and few are kept.
"""

from __future__ import annotations

import gzip
import logging
import os
import shutil
from datetime import datetime
from functools import partial
from pathlib import Path

from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kit.path_names import one_name
from wherry.kit.plain_files import NotPlain, open_plain
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.runtimes.containers import Container, Containers, Phase
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.labels import POD_NAME, POD_NAMESPACE, POD_UID

log = logging.getLogger(__name__)

LOOK_TIMEOUT_S = 10.0
TIDY_TIMEOUT_S = 300.0
"""Compressing a log of some megabytes on a slow disk."""
_PARTIAL = ".tmp"


def log_name(container_name: str, attempt: int) -> str:
    """The log file's path relative to its pod's log directory. Raises BadPathName."""
    return f"{one_name(container_name)}/{attempt}.log"


def find_log(container: Container, pod_log_dir: Path) -> Path:
    """Where the runtime writes this container's log."""
    told = (
        Path(container.log_path) if container.log_path else Path(log_name(container.name, container.attempt))
    )
    return told if told.is_absolute() else pod_log_dir / told


def rotated_logs(path: Path) -> list[Path]:
    """The files rotated out of the log at `path`, the oldest first; each by its name before it is

    compressed.
    """
    names = {
        file.name.removesuffix(".gz")
        for file in path.parent.glob(f"{path.name}.*")
        if file.suffix != _PARTIAL
    }
    return [path.with_name(name) for name in sorted(names)]


def remove_log(path: Path) -> None:
    """Delete one run's log with everything rotated out of it."""
    for file in [path, *path.parent.glob(f"{path.name}.*")]:
        file.unlink(missing_ok=True)


async def rotate_log(
    runtime: Containers,
    disk: Disk,
    container: Container,
    path: Path,
    now: datetime,
    max_bytes: int,
    max_files: int,
) -> bool:
    """Rotate the log of a running container if it is larger than `max_bytes`; whether it was.

    At most `max_files` files stay, the one in use among them. A running container without a log is one
    whose rotation was cut short (killed between renaming and reopening): the runtime begins a new file, or
    it would write on into the renamed one, which nobody reads or bounds. Raises OSError, RuntimeFailure.
    """
    key = f"log {path}"
    rotated = path.with_name(f"{path.name}.{now:%Y%m%d-%H%M%S}")
    try:
        if not await disk.run(key, partial(_move_if_large, path, rotated, max_bytes), LOOK_TIMEOUT_S):
            return False
    except FileNotFoundError:
        await runtime.reopen_log(container.id)
        return False
    try:
        await runtime.reopen_log(container.id)
    except RuntimeFailure as error:
        log.warning("log %s: the runtime did not begin a new file: %s", path, error)
        await disk.run(key, partial(_move_back, path, rotated), LOOK_TIMEOUT_S)
        return False
    await disk.run(key, partial(_tidy, path, rotated, max_files), TIDY_TIMEOUT_S)
    return True


def _move_if_large(path: Path, rotated: Path, max_bytes: int) -> bool:
    """Whether the log was as large as that, and lies at `rotated` now. Raises OSError."""
    if path.stat().st_size < max_bytes or rotated in rotated_logs(path):
        return False  # a clock that was set back gives a name twice
    path.rename(rotated)
    return True


def _move_back(path: Path, rotated: Path) -> None:
    if not path.exists():
        rotated.rename(path)


class LogRotation:
    """Looks at the logs of all running containers now and then: nothing tells when a file grows."""

    def __init__(self, runtime: Containers, config: KubeletConfig, clock: Clock, disk: Disk) -> None:
        self._runtime = runtime
        self._config = config
        self._clock = clock
        self._disk = disk

    async def check(self) -> float:
        """Rotate what grew too large; when to look again, in seconds. Raises RuntimeFailure.

        What goes wrong with one log keeps nobody from the others: rotating those may be what frees the
        disk the first one found full.
        """
        config = self._config
        for container in await self._runtime.containers():
            if container.phase is not Phase.RUNNING:
                continue
            labels = container.labels
            pod_dir = config.pod_log_dir(
                labels.get(POD_NAMESPACE, ""), labels.get(POD_NAME, ""), labels.get(POD_UID, "")
            )
            path = find_log(container, pod_dir)
            try:
                await rotate_log(
                    self._runtime,
                    self._disk,
                    container,
                    path,
                    self._clock.now(),
                    config.log_max_bytes,
                    config.log_max_files,
                )
            except (OSError, RuntimeFailure) as error:
                log.warning("log %s is not rotated: %s", path, error)
        return self._config.log_check_s


def _tidy(path: Path, newest: Path, max_files: int) -> None:
    """Compress all rotated files but the newest and delete the oldest. Raises OSError."""
    rotated = [f for f in path.parent.glob(f"{path.name}.*") if f != newest]
    for file in rotated:
        if file.suffix == _PARTIAL:  # compressing it was cut short
            file.unlink(missing_ok=True)
    older = sorted(f for f in rotated if f.suffix != _PARTIAL)
    surplus = max(0, len(older) - max(0, max_files - 2))
    for file in older[:surplus]:
        file.unlink(missing_ok=True)
    for file in older[surplus:]:
        if file.suffix != ".gz":
            try:
                _compress(file)
            except NotPlain as error:  # a pod that is shown the folder put it there
                log.warning("it stays as it is: %s", error)


def _compress(file: Path) -> None:
    """Put `file.gz` in the place of `file`, whole or not at all. Raises OSError."""
    partial = file.with_name(f"{file.name}{_PARTIAL}")
    try:
        with os.fdopen(open_plain(file), "rb") as source, gzip.open(partial, "wb") as target:
            shutil.copyfileobj(source, target)
        partial.replace(file.with_name(f"{file.name}.gz"))
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    file.unlink()
