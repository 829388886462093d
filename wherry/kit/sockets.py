"""Connections whose other end may vanish without a word: a machine without power, a forgetful firewall.

The kernel's own patience is hours. Here a peer that says nothing is asked after 30 seconds of silence and
given up 15 seconds later, whether or not something waits to be sent: the times of client-go's HTTP/2
health check (`k8s.io/apimachinery/pkg/util/net`, ReadIdleTimeout and PingTimeout).
"""

from __future__ import annotations

import socket
from typing import Any

IDLE_S = 30
PROBE_INTERVAL_S = 5
PROBES = 3
GIVE_UP_S = IDLE_S + PROBE_INTERVAL_S * PROBES


def notice_dead_peer(connection: socket.socket) -> None:
    """Have a TCP socket end with an error when its peer is silent or acknowledges nothing (see above)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_INTERVAL_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
    # RFC 5482: keepalive does not look at a connection on which sent data waits to be acknowledged.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GIVE_UP_S * 1000)


def let_pause(connection: socket.socket) -> int:
    """Let the peer of a TCP socket take nothing for as long as it likes; the milliseconds it had before.

    With a TCP_USER_TIMEOUT the kernel gives up a peer whose window stays closed, although it answers every
    probe (tcp(7)). Without one a peer that is gone is noticed as late as the kernel stops sending again.
    """
    before = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)
    return before


def client_socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for `address` (an entry of `getaddrinfo`) that notices: aiohttp's `socket_factory`."""
    family, kind, protocol = address[0], address[1], address[2]
    connection = socket.socket(family, kind, protocol)
    notice_dead_peer(connection)
    return connection
