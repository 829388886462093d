"""The record of devices on disk, `kubelet_internal_checkpoint`, in upstream's shape.

Upstream's checksum is a hash of how Go prints a struct; ours is one of the data as canonical JSON, so the
file can be read by the same tools, but is not taken over from another agent. One with a wrong checksum is not
believed. Source: pkg/kubelet/cm/devicemanager/checkpoint.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.kubelet.devices.assignments import Assigned, Assignments

NAME = "kubelet_internal_checkpoint"


class BadCheckpoint(Exception):
    """A file that cannot be believed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What containers have, and the devices that were registered, by resource; of which start of the
    machine.
    """

    assignments: Assignments
    registered: Mapping[str, Iterable[str]]
    boot_id: str = ""


def render_checkpoint(assignments: Assignments, registered: Mapping[str, Iterable[str]], boot_id: str) -> str:
    """The file's content."""
    data = {
        "PodDeviceEntries": [
            {
                "PodUID": uid,
                "ContainerName": container,
                "ResourceName": resource,
                "DeviceIDs": {str(node): sorted(ids) for node, ids in sorted(assigned.by_node.items())},
                "AllocResp": base64.b64encode(assigned.answer).decode(),
            }
            for uid, container, resource, assigned in assignments.all()
        ],
        "RegisteredDevices": {resource: sorted(ids) for resource, ids in registered.items()},
    }
    return json.dumps({"Data": data, "Checksum": _checksum(data), "BootID": boot_id}, separators=(",", ":"))


def parse_checkpoint(text: str) -> Checkpoint:
    """What a file says. Raises BadCheckpoint."""
    try:
        found = json.loads(text)
        data = found["Data"]
        if _checksum(data) != found["Checksum"]:
            raise BadCheckpoint("checkpoint is corrupted")
        assignments = Assignments()
        for entry in data["PodDeviceEntries"]:
            by_node = {int(node): tuple(map(str, ids)) for node, ids in entry["DeviceIDs"].items()}
            assigned = Assigned(by_node, base64.b64decode(entry["AllocResp"], validate=True))
            assignments.put(entry["PodUID"], entry["ContainerName"], entry["ResourceName"], assigned)
        registered = {str(name): tuple(map(str, ids)) for name, ids in data["RegisteredDevices"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise BadCheckpoint(f"checkpoint cannot be read: {error!r}") from error
    return Checkpoint(assignments, registered, str(found.get("BootID") or ""))


def write_file(path: Path, text: str) -> None:
    """Replace a file as a whole: whoever is killed meanwhile leaves the old or the new one. Raises
    OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text)
    draft.chmod(0o600)
    draft.replace(path)


def _checksum(data: Any) -> int:
    return zlib.crc32(json.dumps(data, separators=(",", ":"), sort_keys=True).encode())
