"""Client certificates: the subject's common name is the user, its organizations are the groups.

The TLS layer has verified the chain; here only names are read, once per connection.
"""

from __future__ import annotations

from wherry.apiserver.user import AUTHENTICATED, User
from wherry.kit.httpd.message import Connection

MEMO = "user"


def certificate_user(connection: Connection) -> User | None:
    """The user the connection's certificate stands for, None without a certificate (or a name in it)."""
    memo = connection.memo
    if MEMO in memo:
        user: User | None = memo[MEMO]
        return user
    der = connection.peer_certificate
    user = read_certificate(der) if der else None
    memo[MEMO] = user
    return user


def read_certificate(der: bytes) -> User | None:
    """The user named in a DER certificate, None when its subject has no common name."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    subject = x509.load_der_x509_certificate(der).subject
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not names:
        return None
    groups = [str(item.value) for item in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return User(str(names[0].value), (*groups, AUTHENTICATED))
