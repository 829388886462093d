"""Where a probe or hook is to ask: addresses and ports, read from the pod. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.kit.integers import parse_integer
from wherry.kubelet.probes.http import HttpTarget


class NoSuchPort(Exception):
    """The action names a port the container does not declare, or one that is no port."""


def resolve_port(port: int | str, container: Mapping[str, Any]) -> int:
    """The number of a port given by number or name. Raises NoSuchPort."""
    number = port if isinstance(port, int) else parse_integer(port)
    if number is None:
        named = [p for p in container.get("ports") or () if p.get("name") == port]
        if not named:
            raise NoSuchPort(f"couldn't find port: {port}")
        number = int(named[0]["containerPort"])
    if not 0 < number < 65536:
        raise NoSuchPort(f"invalid port number: {number}")
    return number


def http_target(
    action: Mapping[str, Any], container: Mapping[str, Any], pod_ips: Sequence[str], agent: str
) -> HttpTarget:
    """The request an `httpGet` asks for. Raises NoSuchPort."""
    host = action.get("host") or (pod_ips[0] if pod_ips else "")
    scheme = (action.get("scheme") or "HTTP").lower()
    port = resolve_port(action["port"], container)
    path = action.get("path") or "/"
    path = path if path.startswith("/") else f"/{path}"
    shown = f"[{host}]" if ":" in host else host
    headers = [(h["name"], h.get("value") or "") for h in action.get("httpHeaders") or ()]
    given = {name.lower() for name, _ in headers}
    if "user-agent" not in given:
        headers.append(("User-Agent", agent))
    if "accept" not in given:
        headers.append(("Accept", "*/*"))
    headers = [(name, value) for name, value in headers if not (name.lower() == "accept" and not value)]
    return HttpTarget(f"{scheme}://{shown}:{port}{path}", tuple(headers), host, port)
