"""What is written of a pod's allocation, in the pod's own directory: it goes with the pod.

Upstream keeps one file for all pods (`allocated_pods_state`, `actuated_pods_state`); with one per pod nothing
grows with their number. A file is replaced as a whole, so an agent killed at any moment finds the old or the
new one. It need not outlive the machine: after a reboot no container runs that could be another size.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry.kubelet.allocation.sizes import Allocation, Fields
from wherry.kubelet.runtimes.containers import Resources

log = logging.getLogger(__name__)

NAME = "allocated_resources.json"


@dataclass(slots=True)
class Record:
    """One pod: what it was given, and what of that was put into effect.

    `actuated` are the `resources` containers were given while they ran, by container id; `whole` those of the
    pod as a whole, `limits` the figures its cgroup was given (None before it was made).
    """

    allocation: Allocation
    actuated: dict[str, Fields] = field(default_factory=dict)
    whole: Fields | None = None
    limits: Resources | None = None


def write_record(directory: Path, record: Record) -> None:
    """Write the record into a pod's directory. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / f"{NAME}.new"
    draft.write_text(json.dumps(_to_json(record), separators=(",", ":")))
    draft.replace(directory / NAME)


def read_records(pods: Path) -> Iterator[tuple[str, Record]]:
    """Every pod's record below the directory of all pods, by uid; what cannot be read is left out."""
    try:
        directories = sorted(pods.iterdir())
    except FileNotFoundError:
        return
    for directory in directories:
        path = directory / NAME
        try:
            yield directory.name, _from_json(json.loads(path.read_text()))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: not read, the pod counts with what its spec asks for: %s", path, error)


def _to_json(record: Record) -> dict[str, Any]:
    limits = record.limits
    return {
        "containers": record.allocation.containers,
        "resources": record.allocation.whole,
        "actuated": {
            "containers": record.actuated,
            "resources": record.whole,
            "limits": None
            if limits is None
            else [limits.cpu_shares, limits.cpu_quota_us, limits.cpu_period_us, limits.memory_limit_bytes],
        },
    }


def _from_json(found: Mapping[str, Any]) -> Record:
    actuated = found["actuated"]
    limits = actuated["limits"]
    return Record(
        Allocation(dict(found["containers"]), found["resources"]),
        dict(actuated["containers"]),
        actuated["resources"],
        None if limits is None else _limits(*(int(figure) for figure in limits)),
    )


def _limits(cpu_shares: int, cpu_quota_us: int, cpu_period_us: int, memory_limit_bytes: int) -> Resources:
    return Resources(cpu_shares, cpu_quota_us, cpu_period_us, memory_limit_bytes)
