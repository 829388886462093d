"""Whether a port of this machine can be had."""

from __future__ import annotations

import errno
import socket


def why_not_bindable(host: str, port: int) -> str:
    """Why nobody can listen on `host` and the TCP port `port` now; "" when one can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "the port is in use"
            return error.strerror or str(error)
    return ""
