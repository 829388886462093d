"""How much memory requests may take until they are answered, by who sends them: their bodies, and heads.

Strangers share a small budget: nothing they send keeps others from being heard. Everybody else has one of
their own within what all may have together, and the system's own users (nodes, controllers, scheduler,
administrators) have theirs beside that, so that no crowd takes it from them. Small requests that come at
once are not counted, for they are answered at once (`kit/httpd/parsing`). A head that is not complete has not
said whose it is: unless its connection did, by a certificate or by what was asked on it before, it is a
stranger's.
"""

from __future__ import annotations

from wherry.apiserver.authentication.chain import Authenticator
from wherry.apiserver.user import is_system
from wherry.kit.httpd.message import Connection, RequestHeaders
from wherry.kit.httpd.parsing import Held
from wherry.objects.errors import ApiError

TOGETHER_BYTES = 128 * 1024 * 1024
USER_BYTES = 32 * 1024 * 1024
STRANGERS_BYTES = 8 * 1024 * 1024
ASKED = "asked last"
"""Where a connection remembers whose the last request on it was, as a `User`."""
_TIDY_AT = 64


class BodyBudgets:
    """Finds the budget of each request."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self.together = Held(TOGETHER_BYTES)
        self.strangers = Held(STRANGERS_BYTES, self.together)
        self._users: dict[str, Held] = {}

    def of(self, connection: Connection, headers: RequestHeaders) -> Held:
        """Where a request with these headers, none if they are not there yet, is counted. Never raises."""
        try:
            user = self._authenticator.authenticate(connection, headers)
        except ApiError:
            return self.strangers
        if user.is_anonymous and not headers:  # not there yet: likely who asked before goes on
            user = connection.memo.get(ASKED, user)
        if user.is_anonymous:
            return self.strangers
        held = self._users.get(user.name)
        if held is None:
            if len(self._users) >= _TIDY_AT:
                self._users = {name: known for name, known in self._users.items() if known.bytes}
            held = Held(USER_BYTES, None if is_system(user) else self.together)
            self._users[user.name] = held
        return held
