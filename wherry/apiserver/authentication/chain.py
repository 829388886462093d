"""The authenticators in turn: proxy's headers, certificate, bearer token, and at last nobody (anonymous)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

from wherry.apiserver.authentication.bootstrap_tokens import BootstrapTokens
from wherry.apiserver.authentication.certificates import certificate_user
from wherry.apiserver.authentication.front_proxy import FrontProxy
from wherry.apiserver.authentication.service_accounts import TokenRefused, TokenVerifier
from wherry.apiserver.user import ANONYMOUS, User, with_authenticated
from wherry.kit.clock import Clock
from wherry.kit.httpd.message import Connection, RequestHeaders
from wherry.objects.errors import unauthorized

BEARER = "bearer "
WEBSOCKET_TOKEN = "base64url.bearer.authorization.k8s.io."  # noqa: S105 - a protocol's name


class Authenticator:
    """Finds out who is asking."""

    def __init__(
        self,
        verifier: TokenVerifier,
        tokens: Mapping[str, User],
        audiences: Sequence[str],
        clock: Clock,
        *,
        anonymous: bool,
        front_proxy: FrontProxy | None = None,
        bootstrap_tokens: BootstrapTokens | None = None,
    ) -> None:
        self._front_proxy = front_proxy
        self._bootstrap_tokens = bootstrap_tokens
        self._verifier = verifier
        self._tokens = {token: with_authenticated(user) for token, user in tokens.items()}
        self._audiences = tuple(audiences)
        self._clock = clock
        self._anonymous = anonymous

    def authenticate(self, connection: Connection, headers: RequestHeaders) -> User:
        """The user of a request. Raises ApiError (401) when credentials are missing or no good."""
        proxy, has_ended = self._front_proxy, connection.has_ended(self._clock.now())
        if (
            proxy is not None
            and not has_ended
            and (proxied := proxy.user_of(connection, headers)) is not None
        ):
            return proxied
        is_client = not has_ended and (proxy is None or proxy.is_client(connection))
        if is_client:
            user = certificate_user(connection)
            if user is not None:
                return user
        token = bearer_token(headers)
        if token:
            return self._of_token(token)
        if self._anonymous and is_client:  # who shows a certificate that says nothing is not nobody
            return ANONYMOUS
        raise unauthorized()

    def _of_token(self, token: str) -> User:
        found = self.review(token, self._audiences)
        if found is None:
            raise unauthorized()
        return found[0]

    def review(self, token: str, audiences: Sequence[str]) -> tuple[User, list[str]] | None:
        """The user a token stands for and which of `audiences` it serves, None when it is no good."""
        for known, user in self._tokens.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                return self._for_this_server(user, audiences)
        if self._bootstrap_tokens is not None and (joining := self._bootstrap_tokens.user_of(token)):
            return self._for_this_server(joining, audiences)
        try:
            return self._verifier.verify(token, audiences)
        except TokenRefused:
            return None

    def _for_this_server(self, user: User, audiences: Sequence[str]) -> tuple[User, list[str]] | None:
        """A token that names no audience is meant for this server, and for nobody else."""
        served = [audience for audience in audiences if audience in self._audiences]
        return (user, served) if served else None

    @property
    def audiences(self) -> tuple[str, ...]:
        """Audiences tokens must have to be taken here."""
        return self._audiences


def bearer_token(headers: RequestHeaders) -> str:
    """The bearer token of a request, from its Authorization header, or a WebSocket subprotocol of an upgrade.

    Source: apiserver/pkg/authentication/request/websocket: only requests to upgrade may say it there.
    """
    header = headers.first("authorization")
    if header[: len(BEARER)].lower() == BEARER:
        return header[len(BEARER) :].strip()
    if "upgrade" not in headers:
        return ""
    for protocol in headers.get("sec-websocket-protocol", "").split(","):
        protocol = protocol.strip()
        if protocol.startswith(WEBSOCKET_TOKEN):
            import base64
            import binascii

            text = protocol[len(WEBSOCKET_TOKEN) :]
            try:
                return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            except (binascii.Error, UnicodeDecodeError):
                return ""
    return ""


def without_token(headers: RequestHeaders) -> RequestHeaders:
    """The headers without a bearer token among the WebSocket subprotocols: it is nobody else's to see."""
    offered = headers.get("sec-websocket-protocol", "")
    if WEBSOCKET_TOKEN not in offered:
        return headers
    kept = [text for item in offered.split(",") if not (text := item.strip()).startswith(WEBSOCKET_TOKEN)]
    return headers.replaced("sec-websocket-protocol", ", ".join(kept))
