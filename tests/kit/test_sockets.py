"""Sockets that notice a peer that vanished."""

from __future__ import annotations

import socket

from wherry.kit.sockets import client_socket


def test_a_client_socket_asks_a_silent_peer_and_gives_it_up() -> None:
    (address, *_) = socket.getaddrinfo("127.0.0.1", 1, type=socket.SOCK_STREAM)
    with client_socket(address) as connection:
        assert connection.family == socket.AF_INET
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        tcp = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        assert [connection.getsockopt(socket.IPPROTO_TCP, option) for option in tcp] == [30, 5, 3, 45_000]
