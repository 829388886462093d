"""Probes and lifecycle hooks: exactly one handler, numbers that make sense."""

from __future__ import annotations

from collections.abc import Callable

from wherry.api.core.pod_spec.context import PodContext
from wherry.api.core.pod_spec.rules import (
    Errors,
    Fields,
    check,
    check_choice,
    check_nonnegative,
    check_port,
)
from wherry.api.core.pod_spec.signals import validate_stop_signal
from wherry.objects.errors import forbidden_value, invalid_value, required
from wherry.objects.names import http_header_name_errors

_COUNTS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
_SCHEMES = ("HTTP", "HTTPS")
_PROTOCOLS = ("HTTP1", "HTTP2")
_GRPC_MODES = ("Plaintext", "TLS")


def validate_probes(container: Fields, path: str, context: PodContext, errors: Errors) -> None:
    """The three probes and the lifecycle hooks of a container that may have them."""
    grace_s = context.grace_s
    if lifecycle := container.get("lifecycle"):
        validate_stop_signal(lifecycle, f"{path}.lifecycle", context.system, errors)
        for name in ("postStart", "preStop"):
            if (hook := lifecycle.get(name)) is not None:
                _validate_handler(hook, f"{path}.lifecycle.{name}", grace_s, errors)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if (probe := container.get(name)) is None:
            continue
        at = f"{path}.{name}"
        _validate_probe(probe, at, grace_s, errors)
        if name == "readinessProbe":
            grace = probe.get("terminationGracePeriodSeconds")
            if grace is not None:
                errors.append(
                    invalid_value(
                        f"{at}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes"
                    )
                )
        elif probe.get("successThreshold") != 1:
            errors.append(
                invalid_value(f"{at}.successThreshold", probe.get("successThreshold") or 0, "must be 1")
            )


def _validate_probe(probe: Fields, path: str, grace_s: int | None, errors: Errors) -> None:
    _validate_handler(probe, path, grace_s, errors)
    check_nonnegative(probe, _COUNTS, path, errors)
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        errors.append(invalid_value(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))


def _validate_handler(handler: Fields, path: str, grace_s: int | None, errors: Errors) -> None:
    found = False
    for kind, validate in _HANDLERS.items():
        if (action := handler.get(kind)) is None:
            continue
        if found:
            errors.append(forbidden_value(f"{path}.{kind}", "may not specify more than 1 handler type"))
        else:
            found = True
            validate(action, f"{path}.{kind}", grace_s, errors)
    if not found:
        errors.append(required(path, "must specify a handler type"))


def _validate_exec(action: Fields, path: str, _grace_s: int | None, errors: Errors) -> None:
    if not action.get("command"):
        errors.append(required(f"{path}.command"))


def _validate_http(action: Fields, path: str, _grace_s: int | None, errors: Errors) -> None:
    if not action.get("path"):
        errors.append(required(f"{path}.path"))
    check_port(action.get("port"), f"{path}.port", errors)
    check_choice(action.get("scheme") or "", _SCHEMES, f"{path}.scheme", errors)
    if (protocol := action.get("protocol")) is not None:
        check_choice(protocol, _PROTOCOLS, f"{path}.protocol", errors)
    for header in action.get("httpHeaders") or ():
        check(http_header_name_errors, header.get("name") or "", f"{path}.httpHeaders", errors)


def _validate_port(action: Fields, path: str, _grace_s: int | None, errors: Errors) -> None:
    check_port(action.get("port"), f"{path}.port", errors)


def _validate_grpc(action: Fields, path: str, grace_s: int | None, errors: Errors) -> None:
    _validate_port(action, path, grace_s, errors)
    if (mode := action.get("mode")) is not None:
        check_choice(mode, _GRPC_MODES, f"{path}.mode", errors)


def _validate_sleep(action: Fields, path: str, grace_s: int | None, errors: Errors) -> None:
    seconds = action.get("seconds") or 0
    if grace_s is not None and not 0 <= seconds <= grace_s:
        errors.append(
            invalid_value(
                path,
                seconds,
                f"must be non-negative and less than terminationGracePeriodSeconds ({grace_s})",
            )
        )


_HANDLERS: dict[str, Callable[[Fields, str, int | None, Errors], None]] = {
    "exec": _validate_exec,
    "httpGet": _validate_http,
    "tcpSocket": _validate_port,
    "grpc": _validate_grpc,
    "sleep": _validate_sleep,
}
