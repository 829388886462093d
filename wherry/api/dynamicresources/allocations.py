"""What a claim was given: allocation, reservations, and what drivers tell of the devices."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.core.pod_spec.affinity import validate_node_selector
from wherry.api.dynamicresources.claims import (
    CONFIGS_LIMIT,
    Names,
    raw_errors,
    request_config_errors,
    request_name_errors,
)
from wherry.api.dynamicresources.devices import binding_errors
from wherry.api.dynamicresources.names import driver_errors, label_errors, pool_errors, uid_errors
from wherry.api.dynamicresources.operations import skipped_errors
from wherry.api.dynamicresources.taints import TOLERATIONS_LIMIT, toleration_errors
from wherry.api.validation import validate_immutable
from wherry.api.validation.collections import validate_list, validate_set
from wherry.api.validation.conditions import validate_conditions
from wherry.kit.integers import is_digits
from wherry.objects.errors import (
    FieldError,
    forbidden_value,
    invalid_value,
    not_supported,
    required,
    too_long,
    too_many,
)
from wherry.objects.repeats import frozen

RESERVATIONS_LIMIT = 256
RESULTS_LIMIT = 32
CONDITIONS_LIMIT = 8
DATA_LIMIT_B = 10 * 1024
INTERFACE_LIMIT_B = 256
HARDWARE_LIMIT_B = 128
ADDRESSES_LIMIT = 16
_SOURCES = ("FromClaim", "FromClass")
_DELETED = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
Fields = Mapping[str, Any]


def status_errors(status: Fields, old: Fields, names: Names, *, is_deleted: bool) -> list[FieldError]:
    """A `ResourceClaimStatus` about to replace `old`; `names` are the requests of the claim."""
    reserved, allocation = status.get("reservedFor") or [], status.get("allocation")
    errors = validate_set(
        reserved,
        "status.reservedFor",
        _consumer_errors,
        lambda user: user.get("uid") or "",
        RESERVATIONS_LIMIT,
    )
    allocated = _allocated(status)
    errors += validate_set(
        status.get("devices"),
        "status.devices",
        lambda device, at: _device_errors(device, at, allocated),
        device_identity,
    )
    if reserved and allocation is None:
        why = "may not be specified when `allocated` is not set"
        errors.append(forbidden_value("status.reservedFor", why))
    elif reserved and is_deleted:
        before = {frozen(user) for user in old.get("reservedFor") or ()}
        if any(frozen(user) not in before for user in reserved):
            errors.append(forbidden_value("status.reservedFor", _DELETED))
    if allocation is None:
        return errors
    if old.get("allocation") is not None:
        return errors + validate_immutable("status.allocation", allocation, old["allocation"])
    return errors + _allocation_errors(allocation, "status.allocation", names)


def device_identity(device: Fields) -> str:
    """A device as it is told apart: `driver/pool/device`, with its share behind it."""
    share = device.get("shareID")
    text = "/".join(device.get(name) or "" for name in ("driver", "pool", "device"))
    return f"{text}/{share}" if share else text


def kept_devices(devices: Sequence[Fields] | None, new: Fields, old: Fields) -> list[Fields]:
    """Of entries of `status.devices` those whose device was not given back between two statuses.

    Source: pkg/registry/resource/resourceclaim/strategy.go, dropDeallocatedStatusDevices.
    """
    given_back = _allocated(old) - _allocated(new)
    return [device for device in devices or () if device_identity(device) not in given_back]


def _allocated(status: Fields) -> set[str]:
    results = ((status.get("allocation") or {}).get("devices") or {}).get("results") or ()
    return {device_identity(result) for result in results}


def _consumer_errors(user: Fields, path: str) -> list[FieldError]:
    return [required(f"{path}.{name}") for name in ("resource", "name", "uid") if not user.get(name)]


def _device_errors(device: Fields, path: str, allocated: set[str]) -> list[FieldError]:
    errors = _which_errors(device, path)
    if device_identity(device) not in allocated:
        errors.append(
            invalid_value(path, device_identity(device), "must be an allocated device in the claim")
        )
    conditions = device.get("conditions") or ()
    if len(conditions) > CONDITIONS_LIMIT:
        errors.append(too_many(f"{path}.conditions", len(conditions), CONDITIONS_LIMIT))
    errors += validate_conditions(conditions, f"{path}.conditions")
    if device.get("data") is not None:
        errors += raw_errors(device["data"], f"{path}.data", DATA_LIMIT_B)
    return errors + _network_errors(device.get("networkData") or {}, f"{path}.networkData")


def _which_errors(device: Fields, path: str) -> list[FieldError]:
    errors = driver_errors(device.get("driver"), f"{path}.driver")
    errors += pool_errors(device.get("pool"), f"{path}.pool")
    errors += label_errors(device.get("device"), f"{path}.device")
    if device.get("shareID") is not None:
        errors += uid_errors(device["shareID"], f"{path}.shareID")
    return errors


def _network_errors(data: Fields, path: str) -> list[FieldError]:
    limits = (("interfaceName", INTERFACE_LIMIT_B), ("hardwareAddress", HARDWARE_LIMIT_B))
    errors = [
        too_long(f"{path}.{name}", limit)
        for name, limit in limits
        if len((data.get(name) or "").encode()) > limit
    ]
    return errors + validate_set(
        data.get("ips"), f"{path}.ips", interface_address_errors, lambda address: address, ADDRESSES_LIMIT
    )


def interface_address_errors(value: str, path: str) -> list[FieldError]:
    """An address with the length of its network's prefix, in canonical form."""
    address, slash, length = value.partition("/")
    try:
        if not slash or not is_digits(length) or "%" in address:
            raise ValueError(value)
        canonical = str(ipaddress.ip_interface(value))
    except ValueError:
        why = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
        return [invalid_value(path, value, why)]
    if canonical != value:
        return [invalid_value(path, value, f'must be in canonical form ("{canonical}")')]
    return []


def _allocation_errors(allocation: Fields, path: str, names: Names) -> list[FieldError]:
    devices = allocation.get("devices") or {}
    errors = validate_list(
        devices.get("results"),
        f"{path}.devices.results",
        lambda result, at: _result_errors(result, at, names),
        RESULTS_LIMIT,
    )
    errors += validate_list(
        devices.get("config"),
        f"{path}.devices.config",
        lambda config, at: _config_errors(config, at, names),
        2 * CONFIGS_LIMIT,  # of the class and of the claim
    )
    if (selector := allocation.get("nodeSelector")) is not None:
        validate_node_selector(selector, f"{path}.nodeSelector", errors)
    return errors


def _result_errors(result: Fields, path: str, names: Names) -> list[FieldError]:
    errors = request_name_errors(result.get("request") or "", f"{path}.request", names)
    errors += _which_errors(result, path)
    errors += binding_errors(result, path)
    errors += validate_list(
        result.get("tolerations"), f"{path}.tolerations", toleration_errors, TOLERATIONS_LIMIT
    )
    return errors + skipped_errors(result.get("skipNodeOperations"), f"{path}.skipNodeOperations")


def _config_errors(config: Fields, path: str, names: Names) -> list[FieldError]:
    source = config.get("source") or ""
    errors = request_config_errors(config, path, names)
    if not source:
        return [required(f"{path}.source"), *errors]
    return errors if source in _SOURCES else [not_supported(f"{path}.source", source, _SOURCES), *errors]
