"""Where a PersistentVolume's bytes are: exactly one source, and what each must say.

Most sources are those of pods (`pod_spec.remote_volumes`), with secrets that also name a namespace,
since a volume has none of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.core.pod_spec.remote_volumes import REMOTE, validate_remote
from wherry.api.core.pod_spec.rules import Errors, Fields, check_name, check_no_backsteps
from wherry.api.core.pod_spec.volumes import validate_host_path
from wherry.api.core.volume_terms import driver_name_errors
from wherry.objects.errors import forbidden_value, invalid_value, required
from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors

SOURCES = (
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
)
"""The fields that hold a source, in the order upstream reads them."""

_CSI_SECRETS = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)
_SPELT = {"gcePersistentDisk": "persistentDisk"}  # upstream's errors call it so
_FORBIDDEN = {"cephfs": "cephFS"}


def sources_of(spec: Mapping[str, Any]) -> list[str]:
    """The sources a volume's spec names; one, if it is right."""
    return [name for name in SOURCES if spec.get(name) is not None]


def validate_volume_source(spec: Fields, path: str, volume: str, errors: Errors) -> None:
    """Add what is wrong with the sources of the spec at `path`, of the volume called `volume`."""
    given = sources_of(spec)
    if not given:
        errors.append(required(path, "must specify a volume type"))
    for index, name in enumerate(given):
        if index and name != "flexVolume":
            at = f"{path}.{_FORBIDDEN.get(name, name)}"
            errors.append(forbidden_value(at, "may not specify more than 1 volume type"))
        else:
            _validate_one(name, spec[name], f"{path}.{_SPELT.get(name, name)}", volume, errors)


def _validate_one(name: str, source: Fields, path: str, volume: str, errors: Errors) -> None:
    if name in REMOTE:
        validate_remote(name, source, path, volume, errors)
    match name:
        case "hostPath":
            validate_host_path(source, path, errors)
        case "local":
            place = source.get("path") or ""
            if place:
                check_no_backsteps(place, f"{path}.path", errors)
            else:
                errors.append(required(f"{path}.path"))
        case "csi":
            _validate_csi(source, path, errors)
        case "glusterfs":
            namespace = source.get("endpointsNamespace")
            if namespace == "":
                detail = "if the endpointnamespace is set, it must be a valid namespace name"
                errors.append(invalid_value(f"{path}.endpointsNamespace", namespace, detail))
            elif namespace is not None:
                check_name(dns1123_label_errors, namespace, f"{path}.endpointsNamespace", errors)
        case "cinder" | "storageos":
            secret = source.get("secretRef")
            if secret is not None and not secret.get("namespace"):
                errors.append(required(f"{path}.secretRef.namespace"))
        case "azureFile":
            if source.get("secretNamespace") == "":
                errors.append(required(f"{path}.secretNamespace"))


def _validate_csi(source: Fields, path: str, errors: Errors) -> None:
    errors.extend(driver_name_errors(source.get("driver"), f"{path}.driver"))
    if not source.get("volumeHandle"):
        errors.append(required(f"{path}.volumeHandle"))
    for name in _CSI_SECRETS:
        secret = source.get(name)
        if secret is not None:
            check_name(dns1123_subdomain_errors, secret.get("name"), f"{path}.{name}.name", errors)
            check_name(dns1123_label_errors, secret.get("namespace"), f"{path}.{name}.namespace", errors)
