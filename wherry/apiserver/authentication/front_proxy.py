"""Proxies in front of the API server, which say in headers whom they ask for.

They are known by a certificate of an authority of their own. Source: k8s.io/apiserver,
pkg/authentication/request/{headerrequest,x509}.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

from wherry.apiserver.authentication.certificates import subject_user
from wherry.apiserver.authentication.said_in_headers import said, said_extra, said_first
from wherry.apiserver.config import ApiServerConfig, FrontProxyConfig
from wherry.apiserver.user import User, with_authenticated
from wherry.kit.httpd.message import Connection, RequestHeaders

MEMO, CLIENT_MEMO = "is a front proxy", "is a client"
_END = "-----END CERTIFICATE-----"


class FrontProxy:
    """Tells proxies' connections from clients', and reads what proxies say.

    Whose a connection is says the authority its certificate leads to, over however many others, so the server
    gives no TLS tickets (`app.server_tls`): sessions out of them would not say it.

    `authorities` are the certificates (DER) of those who sign proxies', `clients` of those who sign clients'.
    """

    def __init__(
        self, config: FrontProxyConfig, authorities: Sequence[bytes], clients: Sequence[bytes]
    ) -> None:
        self._config = config
        self._authorities = frozenset(authorities)
        self._clients = frozenset(clients)

    @staticmethod
    def of(config: ApiServerConfig) -> FrontProxy | None:
        """The one a server is told of, None when it believes nobody. Raises OSError, ValueError."""
        file = config.requestheader_client_ca_file
        if file is None or not config.front_proxy.username_headers:
            return None
        clients = config.client_ca_file
        return FrontProxy(
            config.front_proxy, certificates(file), certificates(clients) if clients is not None else ()
        )

    def is_client(self, connection: Connection) -> bool:
        """Whether the peer's certificate, if any, says itself who is asking."""
        memo = connection.memo
        if CLIENT_MEMO not in memo:
            memo[CLIENT_MEMO] = (
                connection.peer_certificate is None or connection.peer_authority in self._clients
            )
        return bool(memo[CLIENT_MEMO])

    def user_of(self, connection: Connection, headers: RequestHeaders) -> User | None:
        """Whom the proxy asks for; None when this is none, or names nobody."""
        memo = connection.memo
        if MEMO not in memo:
            memo[MEMO] = self._is_proxy(connection)
        if not memo[MEMO]:
            return None
        told = self._config
        name = _first_of(headers, told.username_headers)
        if not name:
            return None
        groups = tuple(group for header in told.group_headers for group in said(headers, header) if group)
        uid = _first_of(headers, told.uid_headers)
        return with_authenticated(User(name, groups, uid, said_extra(headers, told.extra_prefixes)))

    def _is_proxy(self, connection: Connection) -> bool:
        if connection.peer_certificate is None or connection.peer_authority not in self._authorities:
            return False
        shown = subject_user(connection.peer_subject)
        names = self._config.names
        return not names or (shown is not None and shown.name in names)


def _first_of(headers: RequestHeaders, names: Sequence[str]) -> str:
    """The first of these headers that says something."""
    return next((found for name in names if (found := said_first(headers, name))), "")


def certificates(file: Path) -> list[bytes]:
    """The certificates (DER) in a PEM file. Raises OSError, ValueError."""
    parts = file.read_text().split(_END)[:-1]
    return [ssl.PEM_cert_to_DER_cert(part[part.index("-----BEGIN") :] + _END) for part in parts]
