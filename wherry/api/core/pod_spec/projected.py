"""Projected volumes: several sources in one directory, no path twice."""

from __future__ import annotations

from collections.abc import Iterable

from wherry.api.core.pod_spec.certificates import (
    CERTIFICATE_PATHS,
    validate_pod_certificate,
    validate_trust_bundle,
)
from wherry.api.core.pod_spec.rules import Errors, Fields, check_local_path, check_mode, check_owner
from wherry.api.core.pod_spec.volume_files import validate_downward_files, validate_key_file
from wherry.objects.errors import forbidden_value, invalid_value, required

SHORTEST_TOKEN_S = 600
LONGEST_TOKEN_S = 1 << 32

_KINDS = (
    "secret",
    "configMap",
    "downwardAPI",
    "serviceAccountToken",
    "clusterTrustBundle",
    "podCertificate",
)


def validate_items(source: Fields, path: str, errors: Errors) -> None:
    """The `items` of a Secret or ConfigMap source."""
    for index, item in enumerate(source.get("items") or ()):
        validate_key_file(item, f"{path}.items[{index}]", errors)


def validate_projected(source: Fields, path: str, errors: Errors) -> None:
    """A `ProjectedVolumeSource`."""
    check_mode(source, "defaultMode", path, errors)
    check_owner(source, "defaultUser", path, errors)
    taken: set[str] = set()
    for index, part in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{index}]"
        given = [kind for kind in _KINDS if part.get(kind) is not None]
        for kind in given:
            _validate_part(kind, part[kind], path, f"{at}.{kind}", taken, errors)
        if len(given) > 1:
            errors.append(forbidden_value(at, "may not specify more than 1 volume type per source"))


def _validate_part(
    kind: str, part: Fields, volume_path: str, path: str, taken: set[str], errors: Errors
) -> None:
    match kind:
        case "secret" | "configMap":
            name = part.get("name") or ""
            if not name:
                errors.append(required(f"{path}.name"))
            validate_items(part, path, errors)
            files = [item.get("path") for item in part.get("items") or ()]
            _take(files, taken, volume_path, errors, name)
        case "downwardAPI":
            items = part.get("items") or ()
            validate_downward_files(items, path, errors)
            _take([item.get("path") for item in items], taken, volume_path, errors)
        case "serviceAccountToken":
            _validate_token(part, volume_path, path, errors)
        case "clusterTrustBundle":
            validate_trust_bundle(part, path, errors)
            check_owner(part, "user", path, errors)
            _take([part.get("path")], taken, volume_path, errors)
        case _:
            validate_pod_certificate(part, path, errors)
            check_owner(part, "user", path, errors)
            _take([part.get(name) for name in CERTIFICATE_PATHS], taken, volume_path, errors)


def _take(files: Iterable[str | None], taken: set[str], path: str, errors: Errors, shown: str = "") -> None:
    for file in files:
        if not file:
            continue
        if file in taken:
            errors.append(invalid_value(path, shown or file, "conflicting duplicate paths"))
        taken.add(file)


def _validate_token(token: Fields, volume_path: str, path: str, errors: Errors) -> None:
    check_owner(token, "user", path, errors)
    life_s = token.get("expirationSeconds") or 0
    at = f"{path}.expirationSeconds"
    if life_s < SHORTEST_TOKEN_S:
        errors.append(invalid_value(at, life_s, "may not specify a duration less than 10 minutes"))
    if life_s > LONGEST_TOKEN_S:
        errors.append(invalid_value(at, life_s, "may not specify a duration larger than 2^32 seconds"))
    if not token.get("path"):
        errors.append(required(f"{volume_path}.path"))
    else:
        check_local_path(token["path"], f"{volume_path}.path", errors)
