"""Validation of where a webhook is called: a URL, or a service of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.names import dns1123_subdomain_errors, port_number_errors

_FORM = "; desired format: https://host[/path]"


def webhook_client_errors(client: Mapping[str, Any], path: str) -> list[FieldError]:
    """A client configuration at `path`: exactly one of `url` and `service`."""
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    return _url_errors(url, f"{path}.url") if url is not None else _service_errors(service, f"{path}.service")


def _url_errors(url: str, path: str) -> list[FieldError]:
    try:
        parts = urlsplit(url)
        _ = parts.port  # a port that is no number is found out only when asked for
    except ValueError as error:
        return [required(path, f'url must be a valid URL: parse "{url}": {error}{_FORM}')]
    errors: list[FieldError] = []
    user, at, host = parts.netloc.rpartition("@")
    if parts.scheme != "https":
        why = f"'https' is the only allowed URL scheme{_FORM}"
        errors.append(invalid_value(path, parts.scheme, why))
    if not host:
        errors.append(invalid_value(path, "", f"host must be provided{_FORM}"))
    for is_there, value, what in (
        (at, user, "user information is not permitted in the URL"),
        (parts.fragment, parts.fragment, "fragments are not permitted in the URL"),
        (parts.query, parts.query, "query parameters are not permitted in the URL"),
    ):
        if is_there:
            errors.append(invalid_value(path, value, what))
    return errors


def _service_errors(service: Any, path: str) -> list[FieldError]:
    errors = [
        required(f"{path}.{name}", f"service {name} is required")
        for name in ("name", "namespace")
        if not service.get(name)
    ]
    port = service.get("port") or 0
    if wrong := port_number_errors(port):
        errors.append(invalid_value(f"{path}.port", port, f"port is not valid: {', '.join(wrong)}"))
    return errors + _path_errors(service.get("path") or "/", f"{path}.path")


def _path_errors(text: str, path: str) -> list[FieldError]:
    if text == "/":
        return []
    if text == "//":
        return [invalid_value(path, text, "segment[0] may not be empty")]
    errors: list[FieldError] = []
    if not text.startswith("/"):
        errors.append(invalid_value(path, text, "must start with a '/'"))
    for index, step in enumerate(text[1:].removesuffix("/").split("/")):
        wrong = dns1123_subdomain_errors(step) if step else []
        if not step:
            errors.append(invalid_value(path, text, f"segment[{index}] may not be empty"))
        errors += [invalid_value(path, text, f"segment[{index}]: {told}") for told in wrong]
    return errors
