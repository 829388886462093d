"""Ingress: HTTP from outside, by host and path, to services."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.networking.references import typed_reference_errors
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text
from wherry.objects.errors import FieldError, invalid_value, not_supported, required
from wherry.objects.meta import Object, annotations_of, name_of
from wherry.objects.names import (
    dns1123_label_errors,
    dns1123_subdomain_errors,
    ip_errors,
    is_loose_ip,
    port_name_errors,
    port_number_errors,
    wildcard_dns1123_subdomain_errors,
)

_SCHEMA = "io.k8s.api.networking.v1.Ingress"
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_SHOWN_HOSTS = 3
_FORBIDDEN_IN_PATH = ("//", "/./", "/../", "%2f", "%2F")
_FORBIDDEN_AT_END = ("/..", "/.")


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    rules, backend = spec.get("rules") or (), spec.get("defaultBackend")
    errors: list[FieldError] = []
    if not rules and backend is None:
        errors.append(invalid_value("spec", [], "either `defaultBackend` or `rules` must be specified"))
    if backend is not None:
        errors += _backend_errors(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        errors += _rule_errors(rule, f"spec.rules[{index}]")
    for index, tls in enumerate(spec.get("tls") or ()):
        for at, host in enumerate(tls.get("hosts") or ()):
            errors += _host_errors(host, f"spec.tls[{index}].hosts[{at}]")
        if secret := tls.get("secretName"):
            errors += check_text(f"spec.tls[{index}].secretName", secret, dns1123_subdomain_errors)
    if (name := spec.get("ingressClassName")) is not None:
        errors += check_text("spec.ingressClassName", name, dns1123_subdomain_errors)
    annotated = annotations_of(new).get(CLASS_ANNOTATION)
    if old is None and name is not None and annotated not in (None, name):
        why = "must match `ingressClassName` when both are specified"
        errors.append(invalid_value(f"annotations.{CLASS_ANNOTATION}", annotated, why))
    return errors


def _warns(new: Object, old: Object | None) -> list[str]:
    if old is not None or CLASS_ANNOTATION not in annotations_of(new):
        return []
    if (new.get("spec") or {}).get("ingressClassName") is not None:
        return []
    return [f"annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]


def _default(obj: Object) -> None:
    if (status := obj.get("status")) is not None:
        status.setdefault("loadBalancer", {})


def _host_errors(host: str, path: str) -> list[FieldError]:
    check = wildcard_dns1123_subdomain_errors if "*" in host else dns1123_subdomain_errors
    return check_text(path, host, check)


def _rule_errors(rule: Mapping[str, Any], path: str) -> list[FieldError]:
    host = rule.get("host")
    errors: list[FieldError] = []
    if host and is_loose_ip(host):
        errors.append(invalid_value(f"{path}.host", host, "must be a DNS name, not an IP address"))
    if host:
        errors += _host_errors(host, f"{path}.host")
    http = rule.get("http")
    if http is None:
        return errors
    paths = http.get("paths") or ()
    if not paths:
        errors.append(required(f"{path}.http.paths"))
    for index, entry in enumerate(paths):
        errors += _path_errors(entry, f"{path}.http.paths[{index}]")
    return errors


def _path_errors(entry: Mapping[str, Any], path: str) -> list[FieldError]:
    kind, text = entry.get("pathType"), entry.get("path") or ""
    if kind is None:
        return [required(f"{path}.pathType", "pathType must be specified")]
    errors: list[FieldError] = []
    if kind not in _PATH_TYPES:
        errors.append(not_supported(f"{path}.pathType", kind, _PATH_TYPES))
    if kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            errors.append(invalid_value(f"{path}.path", text, "must be an absolute path"))
        errors += [
            invalid_value(f"{path}.path", text, f"must not contain '{part}'")
            for part in _FORBIDDEN_IN_PATH
            if part in text
        ]
        errors += [
            invalid_value(f"{path}.path", text, f"cannot end with '{part}'")
            for part in _FORBIDDEN_AT_END
            if text.endswith(part)
        ]
    elif kind in _PATH_TYPES and text and not text.startswith("/"):
        errors.append(invalid_value(f"{path}.path", text, "must be an absolute path"))
    return errors + _backend_errors(entry.get("backend") or {}, f"{path}.backend")


def _backend_errors(backend: Mapping[str, Any], path: str) -> list[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if resource is not None and service is not None:
        return [invalid_value(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return typed_reference_errors(resource, f"{path}.resource")
    if service is None:
        return [invalid_value(path, "", "resource or service backend is required")]
    errors: list[FieldError] = []
    if not service.get("name"):
        errors.append(required(f"{path}.service.name"))
    else:
        errors += check_text(f"{path}.service.name", service["name"], dns1123_label_errors)
    port = service.get("port") or {}
    name, number = port.get("name"), port.get("number")
    if name and number:
        errors.append(invalid_value(path, "", "cannot set both port name & port number"))
    elif name:
        errors += check_text(f"{path}.service.port.name", name, port_name_errors)
    elif number:
        errors += [
            invalid_value(f"{path}.service.port.number", number, t) for t in port_number_errors(number)
        ]
    else:
        errors.append(required(path, "port name or number is required"))
    return errors


def _status_rules(new: Object, _old: Object) -> list[FieldError]:
    points = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    errors: list[FieldError] = []
    for index, point in enumerate(points):
        path = f"status.loadBalancer.ingress[{index}]"
        if ip := point.get("ip"):
            errors += check_text(f"{path}.ip", ip, ip_errors)
        if name := point.get("hostname"):
            errors += check_text(f"{path}.hostname", name, dns1123_subdomain_errors)
            if is_loose_ip(name):
                why = "must be a DNS name, not an IP address"
                errors.append(invalid_value(f"{path}.hostname", name, why))
    return errors


def _status_address(status: Mapping[str, Any]) -> str:
    points = (status.get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(sorted({point.get("ip") or point.get("hostname") or "" for point in points} - {""}))


def _hosts_text(rules: Any) -> str:
    hosts = [rule["host"] for rule in rules[:_SHOWN_HOSTS] if rule.get("host")]
    if not hosts:
        return "*"
    more = len(rules) - _SHOWN_HOSTS
    return f"{','.join(hosts)} + {more} more..." if more > 0 else ",".join(hosts)


def _row(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        name_of(obj),
        spec.get("ingressClassName") or NONE,
        _hosts_text(spec.get("rules") or []),
        _status_address(obj.get("status") or {}),
        "80, 443" if spec.get("tls") else "80",
        age_of(obj, now),
    ]


INGRESSES = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="Ingress",
    plural="ingresses",
    namespaced=True,
    short_names=("ing",),
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        is_complete=True,
        namespaced=True,
        has_status=True,
        tracks_generation=True,
        defaults=_default,
        rules=_rules,
        status_rules=_status_rules,
        row=_row,
        warns=_warns,
    ),
    columns=(
        NAME,
        Column("Class", description="The name of the IngressClass resource that should be used."),
        Column("Hosts", description="Hosts that incoming requests are matched against."),
        Column("Address", description="Where the ingress can be reached from outside."),
        Column("Ports", description="Ports that are open, 443 where TLS is configured."),
        AGE,
    ),
    schema=_SCHEMA,
    storage_key="ingress",
)
