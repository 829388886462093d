"""Connections whose other end may vanish without a word: a machine without power, a forgetful firewall.

The kernel's own patience is hours. Here a peer that says nothing is asked after 30 seconds of silence and
given up 15 seconds later, whether or not something waits to be sent: the times of client-go's HTTP/2
health check (`k8s.io/apimachinery/pkg/util/net`, ReadIdleTimeout and PingTimeout). Not every Unix knows every
option; where one is missing the system's own patience holds.
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
    ask_when_silent(connection, IDLE_S, PROBE_INTERVAL_S, PROBES)
    # RFC 5482: keepalive does not look at a connection on which sent data waits to be acknowledged.
    set_user_timeout(connection, GIVE_UP_S * 1000)


def ask_when_silent(connection: socket.socket, idle_s: int, interval_s: int, probes: int) -> None:
    """Ask the peer after `idle_s` seconds of silence, then every `interval_s`, `probes` times in all."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", idle_s), ("TCP_KEEPINTVL", interval_s), ("TCP_KEEPCNT", probes)):
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def set_user_timeout(connection: socket.socket, timeout_ms: int) -> None:
    """How many milliseconds what was sent may wait to be acknowledged; 0 for the system's own patience."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        connection.setsockopt(socket.IPPROTO_TCP, option, timeout_ms)


def let_pause(connection: socket.socket) -> int:
    """Let the peer of a TCP socket take nothing for as long as it likes; the milliseconds it had before.

    With a TCP_USER_TIMEOUT the kernel gives up a peer whose window stays closed, although it answers every
    probe (tcp(7)). Without one a peer that is gone is noticed as late as the kernel stops sending again.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    before = connection.getsockopt(socket.IPPROTO_TCP, option) if option is not None else 0
    set_user_timeout(connection, 0)
    return before


def hold_unsent(connection: socket.socket, size: int) -> None:
    """Have the kernel take no more once `size` bytes could not be sent yet; 0 for the system's own limit.

    By itself it takes megabytes for a peer that reads nothing, which whoever writes does not notice.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        connection.setsockopt(socket.IPPROTO_TCP, option, size)


def client_socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for `address` (an entry of `getaddrinfo`) that notices: aiohttp's `socket_factory`."""
    family, kind, protocol = address[0], address[1], address[2]
    connection = socket.socket(family, kind, protocol)
    notice_dead_peer(connection)
    return connection
