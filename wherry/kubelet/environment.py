"""A container's environment: envFrom, then env, then the services of its namespace.

The objects it refers to are fetched before (`references_of` names them); all that is read here are files
in the pod's volumes (`fileKeyRef`). Later entries see earlier ones through `$(NAME)`. Order and texts are
upstream's.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry.kubelet.env_files import MOST_BYTES, MalformedFile, find_variable
from wherry.kubelet.expansion import LONGEST_ALL, TooLong, expand, size_of
from wherry.kubelet.fields import UnknownField, read_field, read_resource
from wherry.kubelet.pod import spec_of
from wherry.kubelet.volumes.beneath import read_in_root
from wherry.objects.meta import Object, name_of, namespace_of

log = logging.getLogger(__name__)

Lookup = Callable[[str, str], Object | None]
"""The ConfigMap or Secret (first argument: its kind) of that name in the pod's namespace."""


class ConfigFailure(Exception):
    """The container cannot be configured (CreateContainerConfigError); the message says why."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container's environment depends on besides the pod. `volumes` are their paths by name."""

    host_ips: list[str]
    pod_ips: list[str]
    allocatable: Mapping[str, str] = field(default_factory=dict)
    services: Sequence[Object] = ()
    volumes: Mapping[str, Path] = field(default_factory=dict)


def references_of(container: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The (kind, name) of every ConfigMap and Secret the environment needs or may use."""
    found = set()
    for source in container.get("envFrom") or ():
        if source.get("configMapRef"):
            found.add(("ConfigMap", source["configMapRef"].get("name", "")))
        if source.get("secretRef"):
            found.add(("Secret", source["secretRef"].get("name", "")))
    for entry in container.get("env") or ():
        value_from = entry.get("valueFrom") or {}
        if value_from.get("configMapKeyRef"):
            found.add(("ConfigMap", value_from["configMapKeyRef"].get("name", "")))
        if value_from.get("secretKeyRef"):
            found.add(("Secret", value_from["secretKeyRef"].get("name", "")))
    return found


def container_environment(
    pod: Object, container: Mapping[str, Any], lookup: Lookup, around: Surroundings
) -> list[tuple[str, str]]:
    """The variables in order. Raises ConfigFailure when something needed is missing."""
    variables: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        _add_source(namespace_of(pod), source, lookup, variables)
    services = service_environment(
        around.services, namespace_of(pod), links=spec_of(pod).get("enableServiceLinks") is not False
    )
    own: dict[str, str] = {}
    left = LONGEST_ALL
    for entry in container.get("env") or ():
        try:
            value = _value(pod, container, entry, lookup, around, (own, variables, services))
        except TooLong as error:
            raise ConfigFailure(f"environment variable {entry['name']}: {error}") from None
        if value is not None:
            own[entry["name"]] = value
            left -= size_of(value)
        if left < 0:
            raise ConfigFailure(f"the environment is longer than {LONGEST_ALL} bytes")
    merged = {**variables, **own}
    result = list(merged.items())
    result.extend((key, value) for key, value in services.items() if key not in merged)
    return result


def _add_source(namespace: str, source: Mapping[str, Any], lookup: Lookup, variables: dict[str, str]) -> None:
    prefix = source.get("prefix") or ""
    for field_name, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        reference = source.get(field_name)
        if not reference:
            continue
        obj = lookup(kind, reference.get("name", ""))
        if obj is None:
            if reference.get("optional"):
                continue
            raise ConfigFailure(_missing(kind, namespace, reference.get("name", "")))
        for key, value in _texts(kind, obj).items():
            variables[prefix + key] = value


def _missing(kind: str, namespace: str, name: str) -> str:
    del namespace  # upstream names the object alone
    return f'{kind.lower()} "{name}" not found'


def _texts(kind: str, obj: Mapping[str, Any]) -> dict[str, str]:
    data = obj.get("data") or {}
    if kind == "ConfigMap":
        return dict(data)
    return {key: _decode(value) for key, value in data.items()}


def _decode(value: str) -> str:
    return base64.b64decode(value).decode("utf-8", "surrogateescape")


def _value(
    pod: Object,
    container: Mapping[str, Any],
    entry: Mapping[str, Any],
    lookup: Lookup,
    around: Surroundings,
    scopes: tuple[Mapping[str, str], ...],
) -> str | None:
    value_from = entry.get("valueFrom")
    if not value_from or entry.get("value"):
        return expand(entry.get("value") or "", *scopes)
    try:
        if value_from.get("fieldRef"):
            return read_field(pod, value_from["fieldRef"]["fieldPath"], around.host_ips, around.pod_ips)
        if value_from.get("resourceFieldRef"):
            return read_resource(pod, value_from["resourceFieldRef"], container["name"], around.allocatable)
    except UnknownField as error:
        raise ConfigFailure(str(error)) from None
    for field_name, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        reference = value_from.get(field_name)
        if reference:
            return _key_value(namespace_of(pod), kind, reference, lookup)
    if value_from.get("fileKeyRef"):
        return _file_value(value_from["fileKeyRef"], around)
    raise ConfigFailure(f"environment variable {entry['name']}: no known source in valueFrom")


def _file_value(reference: Mapping[str, Any], around: Surroundings) -> str | None:
    """A variable out of a file in a volume. An empty one counts as not there."""
    volume, path, key = reference.get("volumeName") or "", reference.get("path") or "", reference["key"]
    optional = bool(reference.get("optional"))
    root = around.volumes.get(volume)
    if root is None:
        raise ConfigFailure(f'cannot find the volume "{volume}" referenced by FileKeyRef')
    try:
        text = read_in_root(root, path, MOST_BYTES).decode("utf-8", "surrogateescape")
        value = find_variable(text, key)
    except (FileNotFoundError, NotADirectoryError):
        if optional:
            return None
        raise ConfigFailure("couldn't parse env file") from None
    except (OSError, MalformedFile) as error:
        log.info("file %s of volume %s: %s", path, volume, error)
        raise ConfigFailure("couldn't parse env file") from None
    if not value and not optional:
        raise ConfigFailure(f'environment variable key "{key}" not found in file "{root / path}"')
    return value or None


def _key_value(namespace: str, kind: str, reference: Mapping[str, Any], lookup: Lookup) -> str | None:
    name, key = reference.get("name", ""), reference["key"]
    obj = lookup(kind, name)
    if obj is None:
        if reference.get("optional"):
            return None
        raise ConfigFailure(_missing(kind, namespace, name))
    texts = _texts(kind, obj)
    if key not in texts:
        if reference.get("optional"):
            return None
        raise ConfigFailure(f"couldn't find key {key} in {kind} {namespace}/{name}")
    return texts[key]


def service_environment(services: Sequence[Object], namespace: str, *, links: bool) -> dict[str, str]:
    """The variables that tell of services: those of the namespace, and always default/kubernetes."""
    result: dict[str, str] = {}
    for service in sorted(services, key=lambda s: (namespace_of(s) != namespace, name_of(s))):
        is_master = namespace_of(service) == "default" and name_of(service) == "kubernetes"
        if not is_master and not (links and namespace_of(service) == namespace):
            continue
        address = (service.get("spec") or {}).get("clusterIP") or ""
        if address and address != "None":
            for key, value in _service_variables(service, address).items():
                result.setdefault(key, value)
    return result


def _service_variables(service: Mapping[str, Any], address: str) -> dict[str, str]:
    prefix = name_of(service).upper().replace("-", "_")
    ports = (service.get("spec") or {}).get("ports") or []
    result = {f"{prefix}_SERVICE_HOST": address}
    if not ports:
        return result
    result[f"{prefix}_SERVICE_PORT"] = str(ports[0]["port"])
    for port in ports:
        if port.get("name"):
            label = port["name"].upper().replace("-", "_")
            result[f"{prefix}_SERVICE_PORT_{label}"] = str(port["port"])
    shown = f"[{address}]" if ":" in address else address
    for index, port in enumerate(ports):
        protocol = (port.get("protocol") or "TCP").upper()
        url = f"{protocol.lower()}://{shown}:{port['port']}"
        if index == 0:
            result[f"{prefix}_PORT"] = url
        base = f"{prefix}_PORT_{port['port']}_{protocol}"
        result[base] = url
        result[f"{base}_PROTO"] = protocol.lower()
        result[f"{base}_PORT"] = str(port["port"])
        result[f"{base}_ADDR"] = address
    return result
