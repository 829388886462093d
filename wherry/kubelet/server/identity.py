"""Who may ask the kubelet: TLS that demands a certificate, and what that must say.

Only the API server (by its client's name) and administrators (`system:masters`) get in; there is no
reading without a certificate, not even of health.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from wherry.kit.httpd.message import PeerSubject
from wherry.kit.tls import COMMON_NAME, ORGANIZATION, values_of
from wherry.kubelet.server.config import KubeletServerConfig

MASTERS = "system:masters"


def ssl_context(config: KubeletServerConfig) -> ssl.SSLContext:
    """TLS for the server's side, but for its own certificate. Raises OSError (ssl.SSLError among them)."""
    context = config.tls.context()
    context.load_verify_locations(config.client_ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def user_of(subject: PeerSubject) -> tuple[str, list[str]]:
    """The user name and groups a client certificate's subject stands for."""
    names = values_of(subject, COMMON_NAME)
    return (names[0] if names else ""), values_of(subject, ORGANIZATION)


def is_allowed(user: str, groups: Sequence[str], allowed_names: Sequence[str]) -> bool:
    """Whether somebody may use the kubelet's API."""
    return MASTERS in groups or user in allowed_names
