"""Environment variables and where their values come from."""

from __future__ import annotations

from collections.abc import Mapping

from wherry.api.core.pod_spec.context import PodContext
from wherry.api.core.pod_spec.downward import validate_field_ref, validate_resource_ref
from wherry.api.core.pod_spec.rules import Errors, Fields, check, check_local_path, check_name
from wherry.objects.errors import invalid_value, required, value_not_found
from wherry.objects.names import (
    config_key_errors,
    dns1123_label_errors,
    dns1123_subdomain_errors,
    relaxed_env_name_errors,
)

FIELD_PATHS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)

_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_NO_SOURCE = (
    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
)
_MANY_SOURCES = "may not have more than one field specified at a time"


def validate_environment(container: Fields, path: str, context: PodContext, errors: Errors) -> None:
    """`env` and `envFrom` of one container."""
    for index, variable in enumerate(container.get("env") or ()):
        at = f"{path}.env[{index}]"
        check_name(relaxed_env_name_errors, variable.get("name"), f"{at}.name", errors)
        if (source := variable.get("valueFrom")) is not None:
            _validate_source(variable, source, f"{at}.valueFrom", context.volumes, errors)
    for index, source in enumerate(container.get("envFrom") or ()):
        _validate_env_from(source, path, index, errors)


def _validate_source(
    variable: Fields, source: Fields, path: str, volumes: Mapping[str, Fields], errors: Errors
) -> None:
    given = [name for name in _SOURCES if source.get(name) is not None]
    for name in given:
        at = f"{path}.{name}"
        if name == "fieldRef":
            validate_field_ref(source[name], FIELD_PATHS, at, errors)
        elif name == "resourceFieldRef":
            validate_resource_ref(source[name], at, False, errors)
        elif name == "fileKeyRef":
            _validate_file_key(source[name], at, volumes, errors)
        else:
            _validate_key(source[name], at, errors)
    if not given:
        errors.append(invalid_value(path, "", _NO_SOURCE))
    elif variable.get("value"):
        errors.append(invalid_value(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        errors.append(invalid_value(path, "", _MANY_SOURCES))


def _validate_key(selector: Fields, path: str, errors: Errors) -> None:
    check(dns1123_subdomain_errors, selector.get("name") or "", f"{path}.name", errors)
    check_name(config_key_errors, selector.get("key"), f"{path}.key", errors)


def _validate_file_key(selector: Fields, path: str, volumes: Mapping[str, Fields], errors: Errors) -> None:
    volume = selector.get("volumeName") or ""
    check_name(dns1123_label_errors, volume, f"{path}.volumeName", errors)
    if volume and volume not in volumes:
        errors.append(value_not_found(f"{path}.volumeName", volume))
    if not selector.get("path"):
        errors.append(required(f"{path}.path"))
    else:
        check_local_path(selector["path"], f"{path}.path", errors)
    check_name(relaxed_env_name_errors, selector.get("key"), f"{path}.key", errors)


def _validate_env_from(source: Fields, path: str, index: int, errors: Errors) -> None:
    at = f"{path}.envFrom[{index}]"
    if prefix := source.get("prefix"):
        check(relaxed_env_name_errors, prefix, f"{at}.prefix", errors)
    given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
    for name in given:
        check_name(dns1123_subdomain_errors, source[name].get("name"), f"{at}.{name}.name", errors)
    if not given:
        detail = "must specify one of: `configMapRef` or `secretRef`"
        errors.append(invalid_value(f"{path}.envFrom", "", detail))
    elif len(given) > 1:
        errors.append(invalid_value(f"{path}.envFrom", "", _MANY_SOURCES))
