"""The health of drivers' devices, as they last said (KEP-4680). Pure.

What a driver said holds for the time it gives, 30 s unless it says another; then it is not known.
Source: pkg/kubelet/cm/dra/healthinfo.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from wherry.kubelet.devices.dra.messages import HEALTH

TIMEOUT_S = 30.0
"""`DefaultHealthTimeout`."""
LONGEST_MESSAGE = 1024
"""`ResourceHealthMessageMaxLength`."""
MOST_DEVICES = 10_000
UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """How a device is, until `expires` (monotonic)."""

    health: str
    message: str
    expires: float


class HealthBook:
    """By driver, pool and device."""

    def __init__(self) -> None:
        self._drivers: dict[str, dict[tuple[str, str], DeviceHealth]] = {}

    def update(self, driver: str, listed: Iterable[Any], now: float) -> set[tuple[str, str]]:
        """The driver told of its devices; those (by pool and name) of which another thing is told now."""
        before = self._drivers.get(driver, {})
        fresh = dict(before)
        for one in list(listed)[:MOST_DEVICES]:
            asked_s = one.health_check_timeout_seconds
            timeout_s = float(asked_s) if asked_s > 0 else TIMEOUT_S
            health = HEALTH.get(one.health, UNKNOWN)
            key = (one.device.pool_name, one.device.device_name)
            fresh[key] = DeviceHealth(health, _cut(one.message), now + timeout_s)
        self._drivers[driver] = {key: one for key, one in fresh.items() if one.expires > now}
        return {
            key for key in fresh.keys() | before.keys() if _told(before, key, now) != _told(fresh, key, now)
        }

    def forget(self, driver: str) -> set[tuple[str, str]]:
        """The driver's list ended: nothing is known of its devices. Which they were."""
        return set(self._drivers.pop(driver, {}))

    def find(self, driver: str, pool: str, device: str, now: float) -> tuple[str, str]:
        """Health and message of a device."""
        return _told(self._drivers.get(driver, {}), (pool, device), now)

    def next_expiry(self) -> float | None:
        """When the first of what is known is known no more (monotonic)."""
        return min(
            (one.expires for devices in self._drivers.values() for one in devices.values()), default=None
        )

    def expire(self, now: float) -> dict[str, set[tuple[str, str]]]:
        """Forget what is too old; by driver what that was."""
        found: dict[str, set[tuple[str, str]]] = {}
        for driver, devices in self._drivers.items():
            old = {key for key, one in devices.items() if one.expires <= now}
            for key in old:
                del devices[key]
            if old:
                found[driver] = old
        return found


def _told(devices: dict[tuple[str, str], DeviceHealth], key: tuple[str, str], now: float) -> tuple[str, str]:
    found = devices.get(key)
    return (found.health, found.message) if found is not None and found.expires > now else (UNKNOWN, "")


def _cut(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 3]}..."
