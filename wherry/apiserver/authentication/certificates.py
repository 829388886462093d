"""Client certificates: the subject's common name is the user, its organizations are the groups.

The TLS layer has verified the chain; here only names are read, once per connection; whether it is still good
is asked with each request (`Connection.has_ended`).
"""

from __future__ import annotations

from wherry.apiserver.user import User, with_authenticated
from wherry.kit.httpd.message import Connection, PeerSubject
from wherry.kit.tls import COMMON_NAME, ORGANIZATION, values_of

MEMO = "user"


def certificate_user(connection: Connection) -> User | None:
    """The user the connection's certificate stands for, None without a certificate (or a name in it)."""
    memo = connection.memo
    if MEMO in memo:
        user: User | None = memo[MEMO]
        return user
    user = subject_user(connection.peer_subject)
    memo[MEMO] = user
    return user


def subject_user(subject: PeerSubject) -> User | None:
    """The user a certificate's subject names, None when it has no common name."""
    names = values_of(subject, COMMON_NAME)
    if not names:
        return None
    return with_authenticated(User(names[0], tuple(values_of(subject, ORGANIZATION))))
