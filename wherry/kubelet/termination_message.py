"""The last words of a container: its termination message file, or the end of its log.

The file is made on the node before the container starts and shown inside at `terminationMessagePath`;
its name carries the attempt, so an agent that was restarted finds it again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wherry.kit.path_names import one_name
from wherry.kit.plain_files import open_plain
from wherry.kubelet.runtimes.containers import Container

MAX_BYTES = 4096
MAX_LOG_BYTES = 2048
MAX_LOG_LINES = 80
DEFAULT_PATH = "/dev/termination-log"


def message_file(pod_dir: Path, container_name: str, attempt: int) -> Path:
    """Where the message of one run of a container is kept. Raises BadPathName."""
    return pod_dir / "containers" / one_name(container_name) / f"{attempt}.termination"


def create_message_file(path: Path) -> None:
    """Make the empty file, writable for whoever the container runs as. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    path.chmod(0o666)


def read_message(spec: Mapping[str, Any], container: Container, path: Path, log_path: Path) -> str:
    """What a container that ended leaves as its message, "" for nothing."""
    message = _read(path, MAX_BYTES, from_end=False)
    if message:
        return message
    wants_log = spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
    return _log_end(log_path) if wants_log and container.exit_code != 0 else ""


def _read(path: Path, limit: int, *, from_end: bool) -> str:
    try:
        fd = open_plain(path)
    except OSError:
        return ""
    with os.fdopen(fd, "rb") as file:
        if from_end:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - limit))
        return file.read(limit).decode("utf-8", "replace")


def _log_end(path: Path) -> str:
    """The text of the last lines of a CRI log (`time stream tag text`)."""
    # Not splitlines: a carriage return, or a separator of Unicode, ends no record.
    lines = _read(path, 16 * MAX_LOG_BYTES, from_end=True).removesuffix("\n").split("\n")[-MAX_LOG_LINES:]
    texts = []
    for line in lines:
        parts = line.split(" ", 3)
        if len(parts) == 4 and parts[1] in ("stdout", "stderr"):
            texts.append(parts[3] if parts[2].startswith("P") else f"{parts[3]}\n")
    return "".join(texts)[-MAX_LOG_BYTES:]
