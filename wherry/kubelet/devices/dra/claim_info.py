"""What is known of prepared claims, and its record on disk (`dra_manager_state`, in upstream's form). Pure.

Source: pkg/kubelet/cm/dra/claiminfo.go, pkg/kubelet/cm/dra/state.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

NAME = "dra_manager_state"
API_VERSION = "checkpoint.dra.kubelet.k8s.io/v1"
KIND = "DRACheckpoint"
MOST_DEVICES = 1024
"""Devices a driver may tell of for one claim."""


class BadState(Exception):
    """A file that cannot be believed."""


@dataclass(frozen=True, slots=True)
class PreparedDevice:
    """A device of a claim as its driver described it."""

    pool: str
    name: str
    requests: tuple[str, ...] = ()
    cdi: tuple[str, ...] = ()
    share: str = ""


@dataclass(slots=True)
class ClaimInfo:
    """One claim, the pods of this node that use it, and its devices by driver.

    `is_prepared` tells that every driver has prepared it since the agent started: it is asked again after
    that.
    """

    uid: str
    name: str
    namespace: str
    pods: set[str] = field(default_factory=set)
    drivers: dict[str, list[PreparedDevice]] = field(default_factory=dict)
    is_prepared: bool = False

    def devices(self, request: str = "") -> Iterator[tuple[str, PreparedDevice]]:
        """The devices (with their drivers) of one request, of all when it is "".

        A device that names no request belongs to all; of `request/subrequest` the first part counts.
        """
        main = request.partition("/")[0]
        for driver, devices in sorted(self.drivers.items()):
            for device in devices:
                if not main or not device.requests or main in device.requests:
                    yield driver, device

    def cdi(self, request: str = "") -> list[str]:
        """The CDI devices of one request, of all when it is ""."""
        return [name for _, device in self.devices(request) for name in device.cdi]


class ClaimInfos:
    """All claims pods of this node use, by namespace and name."""

    def __init__(self, infos: Iterable[ClaimInfo] = ()) -> None:
        self._infos = {(info.namespace, info.name): info for info in infos}

    def find(self, namespace: str, name: str) -> ClaimInfo | None:
        """What is known of a claim."""
        return self._infos.get((namespace, name))

    def add(self, info: ClaimInfo) -> None:
        """Know of one more."""
        self._infos[info.namespace, info.name] = info

    def remove(self, info: ClaimInfo) -> None:
        """Know of it no more."""
        self._infos.pop((info.namespace, info.name), None)

    def of_pod(self, uid: str) -> list[ClaimInfo]:
        """The claims a pod uses."""
        return [info for info in self._infos.values() if uid in info.pods]

    def all(self) -> list[ClaimInfo]:
        """All of them."""
        return list(self._infos.values())


def render_state(infos: ClaimInfos) -> str:
    """The file's content."""
    entries = [
        {
            "ClaimUID": info.uid,
            "ClaimName": info.name,
            "Namespace": info.namespace,
            "PodUIDs": {uid: {} for uid in sorted(info.pods)},
            "DriverState": {
                driver: {"Devices": [_device(one) for one in devices]}
                for driver, devices in info.drivers.items()
            },
        }
        for info in infos.all()
    ]
    body = {"kind": KIND, "apiVersion": API_VERSION, "Entries": entries}
    data = json.dumps(body, separators=(",", ":"))
    return json.dumps({"Data": data, "Checksum": zlib.crc32(data.encode())}, separators=(",", ":"))


def parse_state(text: str) -> ClaimInfos:
    """What a file says. Raises BadState."""
    try:
        outer = json.loads(text)
        data = outer["Data"]
        if zlib.crc32(data.encode()) != outer["Checksum"]:
            raise BadState("checkpoint is corrupted")
        body = json.loads(data)
        return ClaimInfos(_info(entry) for entry in body["Entries"] or ())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadState(f"checkpoint cannot be read: {error!r}") from error


def _device(device: PreparedDevice) -> dict[str, Any]:
    found: dict[str, Any] = {
        "PoolName": device.pool,
        "DeviceName": device.name,
        "ShareID": device.share or None,
        "RequestNames": list(device.requests),
        "CDIDeviceIDs": list(device.cdi),
    }
    return found


def _info(entry: dict[str, Any]) -> ClaimInfo:
    drivers = {
        driver: [
            PreparedDevice(
                one["PoolName"],
                one["DeviceName"],
                tuple(one["RequestNames"] or ()),
                tuple(one["CDIDeviceIDs"] or ()),
                one.get("ShareID") or "",
            )
            for one in state["Devices"] or ()
        ]
        for driver, state in (entry["DriverState"] or {}).items()
    }
    return ClaimInfo(
        entry["ClaimUID"], entry["ClaimName"], entry["Namespace"], set(entry["PodUIDs"] or ()), drivers
    )
