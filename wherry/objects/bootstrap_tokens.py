"""Bootstrap tokens: Secrets by which nodes and people join a cluster before they have an identity.

A token is `<id>.<secret>`; its Secret lies in kube-system, is named after the id, and says what the token is
good for, and until when. Source: k8s.io/cluster-bootstrap (token/api, token/util, util/secrets).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime

from wherry.objects.meta import Object, name_of, parse_time

NAMESPACE = "kube-system"
TYPE = "bootstrap.kubernetes.io/token"
NAME_PREFIX = "bootstrap-token-"
GROUP = "system:bootstrappers"
USER_PREFIX = "system:bootstrap:"
SIGNING, AUTHENTICATION = "usage-bootstrap-signing", "usage-bootstrap-authentication"
_TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_NAME = re.compile(NAME_PREFIX + r"([a-z0-9]{6})")
_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class BootstrapToken:
    """What a Secret says: `id` and `secret` of the token, and the groups of whoever shows it."""

    id: str
    secret: str
    groups: tuple[str, ...]


def split_token(token: str) -> tuple[str, str] | None:
    """Id and secret of what looks like a bootstrap token, None for anything else."""
    match = _TOKEN.fullmatch(token)
    return (match[1], match[2]) if match else None


def read_token(secret: Object, usage: str, now: datetime) -> BootstrapToken:
    """The token in a Secret, to be used for `usage` now. Raises ValueError that says why it cannot be."""
    name = _NAME.fullmatch(name_of(secret))
    token_id, value = data_of(secret, "token-id"), data_of(secret, "token-secret")
    if secret.get("type") != TYPE:
        raise ValueError(f"it is not of type {TYPE}")
    if name is None or token_id != name[1]:
        raise ValueError(f"its token-id is not that of its name, {NAME_PREFIX}<token-id>")
    if not value:
        raise ValueError("it has no token-secret")
    if expires_in_s(secret, now) == 0:
        raise ValueError("it has expired")
    if data_of(secret, usage) != "true":
        raise ValueError(f"{usage} is not true")
    return BootstrapToken(token_id, value, (GROUP, *_extra_groups(secret)))


def expires_in_s(secret: Object, now: datetime) -> float | None:
    """Seconds until the token expires, 0 when it has or says nonsense, None when it never will."""
    text = data_of(secret, "expiration")
    if not text:
        return None
    try:
        return max((parse_time(text) - now).total_seconds(), 0.0)
    except ValueError:
        return 0.0


def data_of(secret: Object, key: str) -> str:
    """The text under a key of the Secret's data, "" when there is none that can be read."""
    try:
        return base64.b64decode((secret.get("data") or {}).get(key) or "").decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _extra_groups(secret: Object) -> list[str]:
    groups = sorted({name for name in data_of(secret, "auth-extra-groups").split(",") if name})
    for name in groups:
        if not _GROUP.fullmatch(name):
            raise ValueError(f"auth-extra-groups: {name!r} does not begin with {GROUP}: or has other signs")
    return groups
