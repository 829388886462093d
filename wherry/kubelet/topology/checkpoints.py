"""What a manager gave out, written beside the pods: `cpu_manager_state`, `memory_manager_state`.

The form is upstream's (pkg/kubelet/cm/cpumanager/state, checkpoint.go): the state as JSON text in `data` with
its sum in `dataChecksum`, and the same fields beside it for those who read the older form, which take a
`checksum` of 0 for one that is not compared. A file is replaced as a whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wherry.kubelet.configuration.decoding import ConfigurationError

CORRUPT = "checkpoint is corrupted"
DRAIN = (
    "could not restore state from checkpoint: {why}, please drain this node and delete the {name} manager "
)
DRAIN += 'checkpoint file "{path}" before restarting Kubelet'


class CheckpointError(ConfigurationError):
    """What was written cannot be followed: the agent does not start on it."""


def checksum(data: str) -> int:
    """FNV-1a of 32 bits over the text, as upstream shows it to its hash."""
    found = 0x811C9DC5
    for byte in f"(string){data}".encode():
        found = ((found ^ byte) * 0x01000193) & 0xFFFFFFFF
    return found


def encode(state: Mapping[str, Any]) -> bytes:
    """The file that stands for a manager's state."""
    data = json.dumps(state, separators=(",", ":"))
    whole = {**state, "checksum": 0, "data": data, "dataChecksum": checksum(data)}
    return json.dumps(whole, separators=(",", ":")).encode()


def write_checkpoint(path: Path, content: bytes) -> None:
    """Replace the file, on the disk when it returns. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_checkpoint(path: Path, policy: str, name: str) -> dict[str, Any] | None:
    """The state that was written, None if none was. `name` is the manager's: `CPU` or `memory`.

    Raises CheckpointError when it is spoilt or another policy's, OSError when it cannot be read.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return _decode(text, policy)
    except ValueError as error:
        raise CheckpointError(DRAIN.format(why=error, name=name, path=path)) from error


def _decode(text: bytes, policy: str) -> dict[str, Any]:
    try:
        whole = json.loads(text)
        data = whole["data"]
        found = json.loads(data)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(CORRUPT) from error
    if not isinstance(found, dict) or whole.get("dataChecksum") != checksum(data):
        raise ValueError(CORRUPT)
    if found.get("policyName") != policy:
        written = found.get("policyName") or ""
        raise ValueError(f'configured policy "{policy}" differs from state checkpoint policy "{written}"')
    return found
