"""Acting as somebody else: the `Impersonate-*` headers, each of which needs its own permission.

There are modes, tried in order; the first that lets the request through decides. A constrained mode takes
two permissions: `impersonate-on:<mode>:<verb>` on what is asked for, and `impersonate:<mode>` on every part
of the identity. The last is the unconstrained verb `impersonate`.

Source: k8s.io/apiserver, pkg/endpoints/filters/impersonation (ConstrainedImpersonation, KEP-5284).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from wherry.apiserver.authentication.said_in_headers import said, said_extra, said_first
from wherry.apiserver.authentication.service_accounts import NODE_NAME
from wherry.apiserver.authorization.base import refusal
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import (
    MASTERS,
    NODE_PREFIX,
    NODES_GROUP,
    UNAUTHENTICATED,
    User,
    service_account_user,
    with_authenticated,
)
from wherry.kit.httpd.message import RequestHeaders
from wherry.objects.errors import ApiError, bad_request, show_value
from wherry.objects.names import dns1123_subdomain_errors

PREFIX = "impersonate-"
USER, GROUP, UID, EXTRA = "impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-"
AUTHENTICATION_GROUP = "authentication.k8s.io"
NODE_KEYS = "authentication.kubernetes.io/associated-node-keys"
"""What authorizers are told of who acts as their own node: the keys of the extra, not which node it is."""
REMEMBERED = 10_000
MANY = 4
"""From so many groups or extra values on it is first asked whether all are allowed."""
_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")

Check = Callable[[User, RequestInfo], None]
"""Raises ApiError (403) unless the user may do that."""


class Impersonation:
    """Whom requesters act as, by the permissions that `check` asks about."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._last: dict[str, Mode] = {}

    def impersonated(self, user: User, headers: RequestHeaders, info: RequestInfo) -> User:
        """The user to do `info` as: `user`, unless headers ask for another. Raises ApiError (400, 403).

        The mode that last let a requester through is tried first, so that who acts for others all the time is
        asked about no other, and is told of this one if it does not let them through.
        """
        if not is_impersonating(headers):
            return user
        wanted = _wanted(headers)
        if wanted is None:
            return user
        last = self._last.get(user.name)
        refused: list[ApiError] = []
        for mode in MODES if last is None else (last, *(mode for mode in MODES if mode is not last)):
            if not mode.fits(user, wanted):
                continue
            try:
                became = mode.become(user, wanted, info, self._check)
            except ApiError as error:
                if error.code != 403:
                    raise
                refused.append(error)
                continue
            if mode is not last:
                if len(self._last) >= REMEMBERED:
                    self._last.clear()
                self._last[user.name] = mode
            return became
        raise refused[0]


def _wanted(headers: RequestHeaders) -> User | None:
    """The identity the headers say, None if they say none. Raises ApiError (400) for parts without a name."""
    wanted = User(
        said_first(headers, USER),
        said(headers, GROUP),
        said_first(headers, UID),
        said_extra(headers, (EXTRA,)),
    )
    if wanted.name:
        return wanted
    if _is_bare(wanted):
        return None
    raise bad_request(f"requested {_go_value(wanted)} without impersonating a user name")


def _go_value(user: User) -> str:
    """A user as Go shows a `user.DefaultInfo`."""
    groups, extra = "(nil)", "(nil)"
    if user.groups:
        groups = f"{{{', '.join(map(show_value, user.groups))}}}"
    if user.extra:
        shown = (
            f"{show_value(key)}:[]string{{{', '.join(map(show_value, values))}}}"
            for key, values in sorted(user.extra.items())
        )
        extra = f"{{{', '.join(shown)}}}"
    name, uid = show_value(user.name), show_value(user.uid)
    return (
        f"&user.DefaultInfo{{Name:{name}, UID:{uid}, Groups:[]string{groups}, "
        f"Extra:map[string][]string{extra}}}"
    )


def is_impersonating(headers: Iterable[str]) -> bool:
    """Whether somebody asks to act as another, however incompletely."""
    for name in headers:  # noqa: SIM110 - each request is asked, and a generator would cost more than all it tells
        if name.startswith(PREFIX):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to act as somebody else. `name` is in its verbs, "" for the one without constraints.

    `fits` says whether it is for this requester and that identity.
    """

    name: str
    fits: Callable[[User, User], bool]
    hides_node: bool = False
    """Whether authorizers decide for all nodes alike, and hear of none."""

    def become(self, user: User, wanted: User, info: RequestInfo, check: Check) -> User:
        """The user to go on as. Raises ApiError (403)."""
        if self.hides_node:
            user = replace(user, extra={NODE_KEYS: tuple(sorted(user.extra))})
        if self.name:
            check(user, info._replace(verb=f"impersonate-on:{self.name}:{info.verb}"))
        verb = f"impersonate:{self.name}" if self.name else "impersonate"
        for asked in _permissions(user, wanted, verb, check, is_constrained=bool(self.name)):
            check(user, asked._replace(name="*") if self.hides_node else asked)
        return _with_groups(wanted, is_constrained=bool(self.name))


def _permissions(
    user: User, wanted: User, verb: str, check: Check, *, is_constrained: bool
) -> Iterator[RequestInfo]:
    """What one must be allowed to become `wanted`. Raises ApiError (403) for what nobody may become."""
    group = AUTHENTICATION_GROUP if is_constrained else ""
    name = _ask_name(wanted, group, verb, is_constrained=is_constrained)
    if is_constrained and wanted.groups and name.resource != "users":
        whom = "a node" if name.resource == "nodes" else "a service account"
        quoted = " ".join(map(show_value, wanted.groups))
        raise refusal(user, name, f"when impersonating {whom}, cannot impersonate groups [{quoted}]")
    yield name
    if wanted.uid:
        yield _ask(AUTHENTICATION_GROUP, verb, "uids", wanted.uid)
    groups = _ask(group, verb, "groups", "")
    if is_constrained and "" in wanted.groups:
        raise refusal(user, groups, "impersonating the empty string group is not allowed")
    if is_constrained and MASTERS in wanted.groups:
        masters = groups._replace(name=MASTERS)
        raise refusal(user, masters, f"impersonating the {MASTERS} group is not allowed")
    each = [groups._replace(name=one) for one in wanted.groups]
    yield from _unless_all(user, each, groups._replace(name="*"), check, is_constrained=is_constrained)
    extra = _ask(AUTHENTICATION_GROUP, verb, "userextras", "")
    if is_constrained and (why := _extra_problem(wanted.extra)):
        raise refusal(user, extra, why)
    each = [
        extra._replace(subresource=key, name=value)
        for key, values in wanted.extra.items()
        for value in values
    ]
    every = extra._replace(subresource="*", name="*")
    yield from _unless_all(user, each, every, check, is_constrained=is_constrained)


def _unless_all(
    user: User, each: Sequence[RequestInfo], every: RequestInfo, check: Check, *, is_constrained: bool
) -> Iterable[RequestInfo]:
    """Each permission, or none where there are many and all of the kind are allowed."""
    if is_constrained and len(each) >= MANY:
        try:
            check(user, every)
        except ApiError:
            return each
        return ()
    return each


def _ask_name(wanted: User, group: str, verb: str, *, is_constrained: bool) -> RequestInfo:
    account = wanted.service_account
    if account is not None:
        return _ask(group, verb, "serviceaccounts", account[1], namespace=account[0])
    if is_constrained and (node := _node_of(wanted)):
        return _ask(group, verb, "nodes", node)
    return _ask(group, verb, "users", wanted.name)


def _ask(group: str, verb: str, resource: str, name: str, namespace: str = "") -> RequestInfo:
    return RequestInfo(verb, "", True, group, "v1", namespace, resource, name, "")


def _extra_problem(extra: Mapping[str, tuple[str, ...]]) -> str:
    for key, values in extra.items():
        if not key:
            return "impersonating the empty string key in extra is not allowed"
        host, _, path = key.partition("/")
        if not host or not path:
            form = 'must be a domain-prefixed path (such as "acme.io/foo")'
        else:
            form = ", ".join(dns1123_subdomain_errors(host)) or (
                "" if _PATH.fullmatch(path) else "Invalid path"
            )
        if form:
            said_wrong = f"extra.key: Invalid value: {show_value(key)}: {form}"
            return f"impersonating an invalid key in extra is not allowed: {said_wrong}"
        if key != key.lower():
            return f"impersonating a non-lowercase key in extra is not allowed: {show_value(key)}"
        if "" in values:
            return "impersonating the empty string value in extra is not allowed"
    return ""


def _with_groups(wanted: User, *, is_constrained: bool) -> User:
    """Who is acted as, with the groups everybody of the kind is in."""
    groups, account = wanted.groups, wanted.service_account
    if account is not None and not groups:
        groups = service_account_user(*account).groups[:-1]
    elif is_constrained and _node_of(wanted):
        groups = (NODES_GROUP,)
    if wanted.is_anonymous and UNAUTHENTICATED not in groups:
        groups = (*groups, UNAUTHENTICATED)
    return with_authenticated(replace(wanted, groups=groups))


def _node_of(user: User) -> str:
    """The node a user is by its name, in whichever groups it is."""
    node = user.name.removeprefix(NODE_PREFIX)
    return "" if node == user.name or dns1123_subdomain_errors(node) else node


def _is_bare(wanted: User) -> bool:
    """Whether a name alone is asked for, if that."""
    return not (wanted.groups or wanted.uid or wanted.extra)


def _is_own_node(user: User, wanted: User) -> bool:
    node = _node_of(wanted)
    is_on = user.service_account is not None and user.extra.get(NODE_NAME) == (node,)
    return _is_bare(wanted) and bool(node) and is_on


MODES = (
    Mode("associated-node", _is_own_node, hides_node=True),
    Mode("arbitrary-node", lambda _, wanted: _is_bare(wanted) and bool(_node_of(wanted))),
    Mode("serviceaccount", lambda _, wanted: _is_bare(wanted) and wanted.service_account is not None),
    Mode("user-info", lambda _, wanted: not _node_of(wanted) and wanted.service_account is None),
    Mode("", lambda _user, _wanted: True),
)
"""In the order they are tried."""
