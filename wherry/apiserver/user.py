"""Who is asking: `User`, the outcome of authentication and the subject of authorization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wherry.objects.meta import Object
from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ANONYMOUS_NAME = "system:anonymous"
SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"
NODE_PREFIX = "system:node:"
NODES_GROUP = "system:nodes"


@dataclass(frozen=True, slots=True)
class User:
    """An identity. `extra` holds what the authenticator knows beyond it, such as the pod of a token.

    Two users are the same to the authorizers' caches when their `key` is equal.
    """

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def is_master(self) -> bool:
        """Whether authorization is skipped for this user."""
        return MASTERS in self.groups

    @property
    def is_anonymous(self) -> bool:
        """Whether this is nobody in particular."""
        return self.name == ANONYMOUS_NAME

    @property
    def node_name(self) -> str:
        """The node this user is the kubelet of, "" for anybody else."""
        if NODES_GROUP in self.groups and self.name.startswith(NODE_PREFIX):
            return self.name[len(NODE_PREFIX) :]
        return ""

    @property
    def service_account(self) -> tuple[str, str] | None:
        """(namespace, name) of the service account this user is, None for anybody else.

        What only looks like one (further parts, names no object could have) is a plain user, as in upstream's
        SplitUsername: else who may act as an account could act as such a user.
        """
        if not self.name.startswith(SERVICE_ACCOUNT_PREFIX):
            return None
        namespace, _, name = self.name[len(SERVICE_ACCOUNT_PREFIX) :].partition(":")
        if dns1123_label_errors(namespace) or dns1123_subdomain_errors(name):
            return None
        return namespace, name

    def user_info(self) -> Object:
        """`authentication.k8s.io/v1 UserInfo`, empty parts left out."""
        info: dict[str, Any] = {"username": self.name}
        if self.uid:
            info["uid"] = self.uid
        if self.groups:
            info["groups"] = list(self.groups)
        if self.extra:
            info["extra"] = {key: list(values) for key, values in self.extra.items()}
        return info


def with_authenticated(user: User) -> User:
    """The user in the group of all who showed who they are; nobody, and who is in one of both groups, as is.

    For whatever proves an identity. Source: k8s.io/apiserver, authentication/group, AuthenticatedGroupAdder.
    """
    if user.is_anonymous or AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return replace(user, groups=(*user.groups, AUTHENTICATED))


ANONYMOUS = User(ANONYMOUS_NAME, (UNAUTHENTICATED,))
"""Whoever shows no credentials."""

LOOPBACK = User("system:apiserver", (MASTERS, AUTHENTICATED))
"""The API server itself, for objects it keeps on its own account."""

BOOTSTRAP = User("system:apiserver", (MASTERS, AUTHENTICATED))
"""The same in what nobody may stand in the way of, told apart by identity: no webhook is asked about what
the server does to start, nor about what it does for definitions of custom resources."""


SYSTEM_USERS = frozenset(
    {"system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"}
)


def is_system(user: User) -> bool:
    """Whether the cluster itself does not go on without this user: what serves it, and who mends it."""
    return user.is_master or NODES_GROUP in user.groups or user.name in SYSTEM_USERS


def service_account_user(
    namespace: str, name: str, uid: str = "", extra: Mapping[str, tuple[str, ...]] | None = None
) -> User:
    """The user a service account is, with the groups every service account has."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}", groups, uid, extra or {})
