"""Pod volumes: a name, exactly one source, and what each source must say.

The few sources that run here are checked by hand-written functions; the remote disks of old, which
upstream still takes, by the table in `remote_volumes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wherry.api.core.claim_spec import claim_spec_errors
from wherry.api.core.pod_spec.projected import validate_items, validate_projected
from wherry.api.core.pod_spec.remote_volumes import REMOTE, validate_remote
from wherry.api.core.pod_spec.rules import (
    Errors,
    Fields,
    check,
    check_choice,
    check_given_choice,
    check_mode,
    check_name,
    check_no_backsteps,
    check_owner,
)
from wherry.api.core.pod_spec.volume_files import validate_downward_files
from wherry.api.core.volume_terms import driver_name_errors
from wherry.api.validation import validate_annotations, validate_labels
from wherry.objects.errors import duplicate_value, forbidden_value, invalid_value, required
from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors
from wherry.objects.quantity import parse_quantity

HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)

_DIRECTORY_MODE = "must be a number between 0 and 01777 (octal), both inclusive"
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")


def validate_volumes(
    volumes: Sequence[Fields], path: str, is_pod: bool, pod_name: str, errors: Errors
) -> Mapping[str, Fields]:
    """Check the volumes; returns the valid ones by name, for mounts to be checked against.

    `pod_name` (only of a real pod, "" else) gives the names of claims made for ephemeral volumes.
    """
    valid: dict[str, Fields] = {}
    made = {
        f"{pod_name}-{volume.get('name')}"
        for volume in volumes
        if pod_name and volume.get("ephemeral") is not None
    }
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        before = len(errors)
        _validate_source(volume, at, is_pod, errors)
        if pod_name and volume.get("ephemeral") is not None:
            _validate_claim_name(f"{pod_name}-{volume.get('name')}", volume, at, errors)
        name = volume.get("name") or ""
        check_name(dns1123_label_errors, name, f"{at}.name", errors)
        if name in valid:
            errors.append(duplicate_value(f"{at}.name", name))
        if len(errors) == before:
            valid[name] = volume
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim in made:
            detail = "must not reference a PVC that gets created for an ephemeral volume"
            errors.append(invalid_value(f"{at}.persistentVolumeClaim.claimName", claim, detail))
    return valid


def _validate_claim_name(claim: str, volume: Fields, path: str, errors: Errors) -> None:
    errors.extend(
        [
            invalid_value(f"{path}.name", volume.get("name"), f'PVC name "{claim}": {text}')
            for text in dns1123_subdomain_errors(claim)
        ]
    )


def _validate_source(volume: Fields, path: str, is_pod: bool, errors: Errors) -> None:
    found = False
    for kind, source in volume.items():
        if kind == "name" or source is None:
            continue
        at = f"{path}.{kind}"
        if found:
            errors.append(forbidden_value(at, "may not specify more than 1 volume type"))
            continue
        found = True
        if validate := _SOURCES.get(kind):
            validate(source, at, errors)
        elif kind in REMOTE:
            validate_remote(kind, source, at, volume.get("name") or "", errors)
        elif kind == "image":
            _validate_image(source, at, is_pod, errors)
    if not found:
        errors.append(required(path, "must specify a volume type"))


def _validate_empty_dir(source: Fields, path: str, errors: Errors) -> None:
    mode = source.get("mode")
    if mode is not None and not 0 <= mode <= 0o1777:
        errors.append(invalid_value(f"{path}.mode", mode, _DIRECTORY_MODE))
    limit = source.get("sizeLimit")
    if limit is None:
        return
    try:
        fine = parse_quantity(limit) >= 0
    except ValueError:
        fine = False
    if not fine:
        detail = "SizeLimit field must be a valid resource quantity"
        errors.append(forbidden_value(f"{path}.sizeLimit", detail))


def validate_host_path(source: Fields, path: str, errors: Errors) -> None:
    """A `HostPathVolumeSource`."""
    if not source.get("path"):
        errors.append(required(f"{path}.path"))
        return
    check_no_backsteps(source["path"], f"{path}.path", errors)
    check_choice(source.get("type") or "", HOST_PATH_TYPES, f"{path}.type", errors)


def _validate_secret(source: Fields, path: str, errors: Errors) -> None:
    if not source.get("secretName"):
        errors.append(required(f"{path}.secretName"))
    check_mode(source, "defaultMode", path, errors)
    check_owner(source, "defaultUser", path, errors)
    validate_items(source, path, errors)


def _validate_config_map(source: Fields, path: str, errors: Errors) -> None:
    if not source.get("name"):
        errors.append(required(f"{path}.name"))
    check_mode(source, "defaultMode", path, errors)
    check_owner(source, "defaultUser", path, errors)
    validate_items(source, path, errors)


def _validate_downward(source: Fields, path: str, errors: Errors) -> None:
    check_mode(source, "defaultMode", path, errors)
    check_owner(source, "defaultUser", path, errors)
    validate_downward_files(source.get("items") or (), path, errors)


def _validate_claim(source: Fields, path: str, errors: Errors) -> None:
    if not source.get("claimName"):
        errors.append(required(f"{path}.claimName"))


def _validate_csi(source: Fields, path: str, errors: Errors) -> None:
    errors.extend(driver_name_errors(source.get("driver"), f"{path}.driver"))
    secret = source.get("nodePublishSecretRef")
    if secret is None:
        return
    if name := secret.get("name"):
        check(dns1123_subdomain_errors, name, f"{path}.name", errors)  # upstream names it so
    else:
        errors.append(required(f"{path}.nodePublishSecretRef.name"))


def _validate_ephemeral(source: Fields, path: str, errors: Errors) -> None:
    template = source.get("volumeClaimTemplate")
    at = f"{path}.volumeClaimTemplate"
    if template is None:
        errors.append(required(at))
        return
    meta = template.get("metadata") or {}
    errors.extend(validate_annotations(meta.get("annotations"), f"{at}.metadata.annotations"))
    errors.extend(validate_labels(meta.get("labels"), f"{at}.metadata.labels"))
    errors.extend(
        [
            forbidden_value(f"{at}.metadata.{field}", "cannot be set")
            for field in meta
            if field not in ("annotations", "labels") and meta[field]
        ]
    )
    errors.extend(claim_spec_errors(template.get("spec") or {}, f"{at}.spec"))


def _validate_image(source: Fields, path: str, is_pod: bool, errors: Errors) -> None:
    if is_pod and not source.get("reference"):
        errors.append(required(f"{path}.reference"))
    check_given_choice(source.get("pullPolicy"), _PULL_POLICIES, f"{path}.pullPolicy", errors)


_SOURCES: dict[str, Callable[[Fields, str, Errors], None]] = {
    "configMap": _validate_config_map,
    "csi": _validate_csi,
    "downwardAPI": _validate_downward,
    "emptyDir": _validate_empty_dir,
    "ephemeral": _validate_ephemeral,
    "hostPath": validate_host_path,
    "persistentVolumeClaim": _validate_claim,
    "projected": validate_projected,
    "secret": _validate_secret,
}
