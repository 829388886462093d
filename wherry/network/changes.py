"""Hearing from the kernel that the machine's own addresses or routes changed (rtnetlink(7))."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

log = logging.getLogger(__name__)

RTMGRP_IPV4_IFADDR = 0x10
RTMGRP_IPV4_ROUTE = 0x40
LARGEST_MESSAGE = 65536


class AddressChanges:
    """Calls `on_change` whenever an IPv4 address or route of this network namespace came or went.

    What changed is not said, since whoever wants to know looks anyway. Where the kernel has no netlink for
    us nothing is ever called: a look now and then is still needed.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Begin to listen."""
        try:
            opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK)
        except OSError as error:
            log.info("changes of addresses are looked for, not heard of: %s", error)
            return
        try:
            opened.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE))
        except OSError as error:
            opened.close()
            log.info("changes of addresses are looked for, not heard of: %s", error)
            return
        self._socket = opened
        asyncio.get_running_loop().add_reader(opened.fileno(), self._read, opened)

    def close(self) -> None:
        """Stop listening. May be called twice."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _read(self, opened: socket.socket) -> None:
        """Empty the socket; one that overflowed (ENOBUFS) tells as much as a message."""
        try:
            while opened.recv(LARGEST_MESSAGE):
                continue
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                log.warning("changes of addresses are no longer heard of: %s", error)
                self.close()
        self._on_change()
