"""Acting as somebody else: the `Impersonate-*` headers, each of which needs its own permission."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wherry.apiserver.authentication.said_in_headers import said, said_extra, said_first
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import UNAUTHENTICATED, User, with_authenticated
from wherry.kit.httpd.message import RequestHeaders
from wherry.objects.errors import internal

PREFIX = "impersonate-"
USER, GROUP, UID, EXTRA = "impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-"
AUTHENTICATION_GROUP = "authentication.k8s.io"

Check = Callable[[User, RequestInfo], None]
"""Raises ApiError (403) unless the user may do that."""


def impersonated(user: User, headers: RequestHeaders, check: Check) -> User:
    """The user to go on as: `user`, unless headers ask for another. Raises ApiError (403, 500)."""
    if not is_impersonating(headers):
        return user
    name = said_first(headers, USER)
    groups = said(headers, GROUP)
    uid = said_first(headers, UID)
    extra = said_extra(headers, (EXTRA,))
    if not name:
        if groups or uid or extra:
            raise internal(f"requested impersonation of {[*groups, *extra]} without impersonating a user")
        return user
    as_user = User(name, groups, uid, extra)
    for info in _permissions(as_user):
        check(user, info)
    account = as_user.service_account
    if account is not None and not groups:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{account[0]}")
    if as_user.is_anonymous and UNAUTHENTICATED not in groups:
        groups = (*groups, UNAUTHENTICATED)
    return with_authenticated(User(name, groups, uid, extra))


def _permissions(user: User) -> list[RequestInfo]:
    """What one must be allowed to become `user`."""
    account = user.service_account
    if account is not None:
        wanted = [_ask("", "serviceaccounts", account[1], namespace=account[0])]
    else:
        wanted = [_ask("", "users", user.name)]
    wanted.extend(_ask("", "groups", group) for group in user.groups)
    if user.uid:
        wanted.append(_ask(AUTHENTICATION_GROUP, "uids", user.uid))
    for key, values in user.extra.items():
        wanted.extend(_ask(AUTHENTICATION_GROUP, "userextras", value, subresource=key) for value in values)
    return wanted


def _ask(group: str, resource: str, name: str, namespace: str = "", subresource: str = "") -> RequestInfo:
    version = "v1"
    return RequestInfo("impersonate", "", True, group, version, namespace, resource, name, subresource)


def is_impersonating(headers: Iterable[str]) -> bool:
    """Whether somebody asks to act as another, however incompletely."""
    return any(name.startswith(PREFIX) for name in headers)
