"""Ingresses before networking.k8s.io/v1: a backend was `serviceName` and `servicePort`.

Also the default backend was just `backend`, and a path did not have to say its type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from wherry.api.lifecycle import Lifecycle
from wherry.api.networking.ingresses import INGRESSES
from wherry.api.resource import Resource
from wherry.api.versions import Differences, earlier
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object

ANY_PATH_TYPE = "ImplementationSpecific"
_MODERN = "networking.k8s.io/v1"

ConvertBackend = Callable[[Object], Object]


def default_path_types(ingress: Object) -> None:
    """A path that does not say its type has the one every controller reads in its own way; in place."""
    for rule in (ingress.get("spec") or {}).get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            if path.get("pathType") is None:
                path["pathType"] = ANY_PATH_TYPE


def to_networking_v1(ingress: Object) -> Object:
    """The networking.k8s.io/v1 form."""
    return _converted(ingress, _MODERN, ("backend", "defaultBackend"), _with_service)


def from_networking_v1(api_version: str) -> Callable[[Object], Object]:
    """The way back to `api_version`."""
    return lambda ingress: _converted(
        ingress, api_version, ("defaultBackend", "backend"), _with_name_and_port
    )


def rename_default_backend(error: FieldError) -> FieldError:
    """An error in the words of the old versions."""
    return replace(error, message=error.message.replace("`defaultBackend`", "`backend`"))


def _converted(
    ingress: Object, api_version: str, default_backend: tuple[str, str], convert: ConvertBackend
) -> Object:
    made = {**ingress, "apiVersion": api_version}
    spec = ingress.get("spec")
    if not spec:
        return made
    before, after = default_backend
    new: Object = {after if name == before else name: value for name, value in spec.items()}
    if new.get(after) is not None:
        new[after] = convert(new[after])
    if new.get("rules"):
        new["rules"] = [_converted_rule(rule, convert) for rule in new["rules"]]
    made["spec"] = new
    return made


def _converted_rule(rule: Object, convert: ConvertBackend) -> Object:
    http = rule.get("http")
    if not http or not http.get("paths"):
        return rule
    paths = [
        {**path, "backend": convert(path["backend"])} if path.get("backend") is not None else path
        for path in http["paths"]
    ]
    return {**rule, "http": {**http, "paths": paths}}


def _with_service(backend: Object) -> Object:
    made = {name: value for name, value in backend.items() if name not in ("serviceName", "servicePort")}
    name, port = backend.get("serviceName"), backend.get("servicePort")
    if not name and port in (None, 0):
        return made  # upstream, too, takes this for no service at all
    service: Object = {}
    if name is not None:
        service["name"] = name
    if port is not None:
        service["port"] = _port(port)
    return {"service": service, **made}


def _port(port: int | str) -> dict[str, Any]:
    if isinstance(port, str):
        return {"name": port}
    return {"number": port} if port else {}


def _with_name_and_port(backend: Object) -> Object:
    service = backend.get("service")
    rest = {name: value for name, value in backend.items() if name != "service"}
    if service is None:
        return rest
    made: Object = {}
    if service.get("name") is not None:
        made["serviceName"] = service["name"]
    port = service.get("port")
    if port is not None:
        made["servicePort"] = port["name"] if port.get("name") is not None else port.get("number") or 0
    return {**made, **rest}


def with_named_backends(api_version: str, lifecycle: Lifecycle, *, schema: str) -> Resource:
    """Ingress in one of its first versions; see `earlier`."""
    return earlier(
        INGRESSES,
        api_version,
        lifecycle,
        schema=schema,
        differences=Differences(
            to_present=to_networking_v1,
            from_present=from_networking_v1(api_version),
            defaults=default_path_types,
            rename=rename_default_backend,
        ),
    )
