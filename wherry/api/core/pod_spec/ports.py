"""Container ports: numbers, names, and no two of one pod on the same port of the host."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.core.pod_spec.rules import PROTOCOLS, Errors, Fields, check_given_choice
from wherry.objects.errors import duplicate_value, invalid_value, required
from wherry.objects.names import port_name_errors, port_number_errors


def validate_ports(ports: Sequence[Fields], path: str, errors: Errors) -> None:
    """The ports of one container; `path` is that of the list."""
    names: set[str] = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        if name := port.get("name"):
            if wrong := port_name_errors(name):
                errors.extend([invalid_value(f"{at}.name", name, text) for text in wrong])
            elif name in names:
                errors.append(duplicate_value(f"{at}.name", name))
            names.add(name)
        number, host = port.get("containerPort") or 0, port.get("hostPort") or 0
        if not number:
            errors.append(required(f"{at}.containerPort"))
        elif not 0 < number < 65536:
            errors.extend(
                [invalid_value(f"{at}.containerPort", number, t) for t in port_number_errors(number)]
            )
        if host and not 0 < host < 65536:
            errors.extend([invalid_value(f"{at}.hostPort", host, text) for text in port_number_errors(host)])
        check_given_choice(port.get("protocol"), PROTOCOLS, f"{at}.protocol", errors)


def validate_host_ports(containers: Sequence[Fields], path: str, errors: Errors) -> None:
    """No two containers may take the same address, port and protocol of the host."""
    taken: set[str] = set()
    for outer, container in enumerate(containers):
        for inner, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            place = f"{port.get('protocol') or ''}/{port.get('hostIP') or ''}/{port['hostPort']}"
            if place in taken:
                errors.append(duplicate_value(f"{path}[{outer}].ports[{inner}].hostPort", place))
            taken.add(place)


def validate_host_network_ports(
    containers: Sequence[Fields], path: str, is_pod: bool, errors: Errors
) -> None:
    """On the host's network a port is the host's: hostPort, which a template may leave out, must agree."""
    for outer, container in enumerate(containers):
        for inner, port in enumerate(container.get("ports") or ()):
            host, number = port.get("hostPort") or 0, port.get("containerPort") or 0
            if (is_pod or host) and host != number:
                errors.append(
                    invalid_value(
                        f"{path}[{outer}].ports[{inner}].hostPort",
                        host,
                        "must match `containerPort` when `hostNetwork` is true",
                    )
                )
