"""The file that says when the machine's last shutdown began and ended.

Source: pkg/kubelet/nodeshutdown/storage.go: `graceful_node_shutdown_state` in the kubelet's directory, with
upstream's fields. `bootID` is beside them: of another boot it says nothing about this one.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

NAME = "graceful_node_shutdown_state"


@dataclass(frozen=True, slots=True)
class ShutdownRecord:
    """When a shutdown began and ended, in wire time; "" for not (yet), and the boot it was of."""

    start_time: str = ""
    end_time: str = ""
    boot_id: str = ""

    def is_under_way(self, boot_id: str) -> bool:
        """Whether it began in this boot and was not called off or ended."""
        return bool(self.start_time and not self.end_time and self.boot_id == boot_id)


def read_record(root_dir: Path) -> ShutdownRecord:
    """What the file says; nothing, if there is none that can be read."""
    path = root_dir / NAME
    try:
        found = json.loads(path.read_text())
        return ShutdownRecord(*(str(found.get(name) or "") for name in ("startTime", "endTime", "bootID")))
    except FileNotFoundError:
        return ShutdownRecord()
    except (OSError, ValueError, AttributeError) as error:
        log.warning("%s is not heeded: %s", path, error)
        return ShutdownRecord()


def write_record(root_dir: Path, record: ShutdownRecord) -> None:
    """Put the file there as a whole. Raises OSError."""
    path, half = root_dir / NAME, root_dir / f".{NAME}.half"
    said = {"startTime": record.start_time, "endTime": record.end_time, "bootID": record.boot_id}
    half.write_text(json.dumps(said))
    half.replace(path)
