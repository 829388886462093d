"""Whom the node itself asks: `NodeResolver`."""

from __future__ import annotations

import logging
from ipaddress import ip_address
from pathlib import Path

from wherry.dns.forward import Upstream
from wherry.network.resolv_conf import Resolver, parse_resolv_conf

log = logging.getLogger(__name__)


class NodeResolver:
    """Whom the node itself asks, and its search path, by its resolv.conf; read again when it is another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._resolver = Resolver()

    def servers(self) -> list[Upstream]:
        """The servers; none where nobody is named."""
        found = []
        for text in self._read().servers:
            try:
                found.append(Upstream(str(ip_address(text.partition("%")[0]))))
            except ValueError:
                log.warning("%s: %r is not an address", self._path, text)
        return found

    def searches(self) -> list[str]:
        """The search path."""
        return [domain for domain in self._read().searches if domain.strip(".")]

    def _read(self) -> Resolver:
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen != self._seen:
                self._resolver = parse_resolv_conf(self._path.read_text(errors="replace"))
                self._seen = seen
        except OSError as error:
            log.warning("%s: %s", self._path, error.strerror)
        return self._resolver
