"""Where a container sees its pod's volumes: volumeMounts and, for raw block devices, volumeDevices."""

from __future__ import annotations

from wherry.api.core.pod_spec.context import PodContext
from wherry.api.core.pod_spec.rules import Errors, Fields, check_choice, check_descending_path
from wherry.objects.errors import (
    duplicate_value,
    forbidden_value,
    invalid_value,
    not_supported,
    required,
    value_not_found,
)

_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_OPTIONS = ("nodev", "noexec", "nosuid")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def validate_mounts(container: Fields, path: str, context: PodContext, errors: Errors) -> None:
    """`volumeMounts` and `volumeDevices` of one container."""
    mounts = container.get("volumeMounts") or ()
    devices = container.get("volumeDevices") or ()
    if mounts:
        taken = {device.get("name") for device in devices}, {device.get("devicePath") for device in devices}
        seen: set[str] = set()
        for index, mount in enumerate(mounts):
            at = f"{path}.volumeMounts[{index}]"
            _validate_place(mount, at, seen, taken, context, errors)
            _validate_sub_path(mount, f"{path}.volumeMounts", at, errors)
            _validate_propagation(mount, container, f"{path}.volumeMounts", errors)
            if options := mount.get("bindMountOptions"):
                _validate_options(options, mount, f"{at}.bindMountOptions", context, errors)
    if devices:
        used = {mount.get("name"): mount.get("mountPath") for mount in mounts}
        _validate_devices(devices, f"{path}.volumeDevices", used, context, errors)


def _validate_place(
    mount: Fields,
    path: str,
    seen: set[str],
    devices: tuple[set[str | None], set[str | None]],
    context: PodContext,
    errors: Errors,
) -> None:
    """`devices` are the names and the places of the container's `volumeDevices`."""
    name, place = mount.get("name") or "", mount.get("mountPath") or ""
    if not name:
        errors.append(required(f"{path}.name"))
    if name not in context.volumes:
        errors.append(value_not_found(f"{path}.name", name))
    if not place:
        errors.append(required(f"{path}.mountPath"))
    if place in seen:
        errors.append(invalid_value(f"{path}.mountPath", place, "must be unique"))
    seen.add(place)
    if name in devices[0]:
        errors.append(invalid_value(f"{path}.name", name, "must not already exist in volumeDevices"))
    if place in devices[1]:
        detail = "must not already exist as a path in volumeDevices"
        errors.append(invalid_value(f"{path}.mountPath", place, detail))


def _validate_sub_path(mount: Fields, base: str, path: str, errors: Errors) -> None:
    """Upstream names the whole list, not the mount, when a subPath leaves its volume."""
    sub_path, expression = mount.get("subPath") or "", mount.get("subPathExpr") or ""
    if sub_path:
        check_descending_path(sub_path, f"{base}.subPath", errors)
    if expression:
        if sub_path:
            detail = "subPathExpr and subPath are mutually exclusive"
            errors.append(invalid_value(f"{path}.subPathExpr", expression, detail))
        check_descending_path(expression, f"{base}.subPathExpr", errors)


def _validate_propagation(mount: Fields, container: Fields, base: str, errors: Errors) -> None:
    propagation = mount.get("mountPropagation")
    if propagation is not None:
        check_choice(propagation, _PROPAGATIONS, f"{base}.mountPropagation", errors)
        privileged = (container.get("securityContext") or {}).get("privileged")
        if propagation == "Bidirectional" and not privileged:
            detail = "Bidirectional mount propagation is available only to privileged containers"
            errors.append(forbidden_value(f"{base}.mountPropagation", detail))
    recursive = mount.get("recursiveReadOnly")
    at = f"{base}.recursiveReadOnly"
    if recursive in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            errors.append(forbidden_value(at, "may only be specified when readOnly is true"))
        if propagation not in (None, "None"):
            detail = "may only be specified when mountPropagation is None or not specified"
            errors.append(forbidden_value(at, detail))
    elif recursive not in (None, "Disabled"):
        errors.append(not_supported(at, recursive, _RECURSIVE))


def _validate_options(
    options: list[str], mount: Fields, path: str, context: PodContext, errors: Errors
) -> None:
    """`bindMountOptions` (alpha upstream), each once, and none for images."""
    seen: set[str] = set()
    for index, option in enumerate(options):
        check_choice(option, _OPTIONS, f"{path}[{index}]", errors)
        if option in seen:
            errors.append(duplicate_value(f"{path}[{index}]", option))
        seen.add(option)
    volume = context.volumes.get(mount.get("name") or "")
    if volume is not None and volume.get("image") is not None:
        errors.append(forbidden_value(path, "may not be specified for image volumes"))


def _validate_devices(
    devices: list[Fields],
    path: str,
    mounts: dict[str | None, str | None],
    context: PodContext,
    errors: Errors,
) -> None:
    names: set[str] = set()
    places: set[str] = set()
    mounted = set(mounts.values())
    for index, device in enumerate(devices):
        at = f"{path}[{index}]"
        name, place = device.get("name") or "", device.get("devicePath") or ""
        volume = context.volumes.get(name)
        if not name:
            errors.append(required(f"{at}.name"))
        if name in names:
            errors.append(invalid_value(f"{at}.name", name, "must be unique"))
        if volume is None:
            errors.append(value_not_found(f"{at}.name", name))
        elif volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
            detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(invalid_value(f"{at}.name", name, detail))
        if not place:
            errors.append(required(f"{at}.devicePath"))
        if place in places:
            errors.append(invalid_value(f"{at}.devicePath", place, "must be unique"))
        if ".." in place.split("/"):
            errors.append(invalid_value(f"{at}.devicePath", place, "can not contain backsteps ('..')"))
        else:
            places.add(place)
        if name in mounts:
            errors.append(invalid_value(f"{at}.name", name, "must not already exist in volumeMounts"))
        if place in mounted:
            detail = "must not already exist as a path in volumeMounts"
            errors.append(invalid_value(f"{at}.devicePath", place, detail))
        if name:
            names.add(name)
