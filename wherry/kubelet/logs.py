"""Container logs on disk: where they are, and keeping them from growing without bound.

`<log dir>/<namespace>_<pod>_<uid>/<container>/<attempt>.log`, as upstream. A file past its size is
renamed with a time stamp, the runtime begins a new one, older ones are compressed and few are kept.
"""

from __future__ import annotations

import gzip
import logging
import shutil
from datetime import datetime
from pathlib import Path

from wherry.kubelet.runtimes.base import Container, Runtime, RuntimeFailure

log = logging.getLogger(__name__)


def log_name(container_name: str, attempt: int) -> str:
    """The log file's path relative to its pod's log directory."""
    return f"{container_name}/{attempt}.log"


def find_log(container: Container, pod_log_dir: Path) -> Path:
    """Where the runtime writes this container's log."""
    told = (
        Path(container.log_path) if container.log_path else Path(log_name(container.name, container.attempt))
    )
    return told if told.is_absolute() else pod_log_dir / told


def remove_log(path: Path) -> None:
    """Delete one run's log with everything rotated out of it."""
    for file in [path, *path.parent.glob(f"{path.name}.*")]:
        file.unlink(missing_ok=True)


async def rotate_log(
    runtime: Runtime, container: Container, path: Path, now: datetime, max_bytes: int, max_files: int
) -> bool:
    """Rotate the log of a running container if it is larger than `max_bytes`; whether it was.

    At most `max_files` files stay, the one in use among them.
    """
    try:
        if path.stat().st_size < max_bytes:
            return False
    except FileNotFoundError:
        return False
    rotated = path.with_name(f"{path.name}.{now:%Y%m%d-%H%M%S}")
    path.rename(rotated)
    try:
        await runtime.reopen_log(container.id)
    except RuntimeFailure as error:
        log.warning("log %s: the runtime did not begin a new file: %s", path, error)
        if not path.exists():
            rotated.rename(path)
        return False
    _tidy(path, rotated, max_files)
    return True


def _tidy(path: Path, newest: Path, max_files: int) -> None:
    """Compress all rotated files but the newest and delete the oldest."""
    older = sorted(f for f in path.parent.glob(f"{path.name}.*") if f != newest)
    surplus = max(0, len(older) - max(0, max_files - 2))
    for file in older[:surplus]:
        file.unlink(missing_ok=True)
    for file in older[surplus:]:
        if file.suffix != ".gz":
            with file.open("rb") as source, gzip.open(f"{file}.gz", "wb") as target:
                shutil.copyfileobj(source, target)
            file.unlink()
