"""TLS of the kubelet's server, and whom a client certificate stands for.

A certificate of the cluster's authority is asked for, not demanded: whoever has a token instead shows that.
"""

from __future__ import annotations

import ssl

from wherry.kit.httpd.message import PeerSubject
from wherry.kit.tls import COMMON_NAME, ORGANIZATION, values_of
from wherry.kubelet.server.access import Asker
from wherry.kubelet.server.config import KubeletServerConfig


def ssl_context(config: KubeletServerConfig) -> ssl.SSLContext:
    """TLS for the server's side, but for its own certificate. Raises OSError (ssl.SSLError among them)."""
    context = config.tls.context()
    context.load_verify_locations(config.client_ca_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def asker_of(subject: PeerSubject) -> Asker | None:
    """Whom a verified client certificate is for, None when it names nobody."""
    names = values_of(subject, COMMON_NAME)
    if not names or not names[0]:
        return None
    return Asker(names[0], (*values_of(subject, ORGANIZATION), "system:authenticated"))
