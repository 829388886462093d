"""What a bootstrap token's Secret says, and when it says nothing."""

from __future__ import annotations

import pytest

from tests.controllers.bootstrap.secrets import token_secret
from wherry.kit.clock import FakeClock
from wherry.objects.bootstrap_tokens import AUTHENTICATION, expires_in_s, read_token, split_token
from wherry.objects.meta import Object

NOW = FakeClock().now()
TOKEN = "abcdef.0123456789abcdef"
PAST, AHEAD = "2020-01-01T00:00:00Z", "2026-01-01T00:01:00Z"


def test_a_token_with_groups() -> None:
    groups = "system:bootstrappers:workers,system:bootstrappers:b,system:bootstrappers:b"
    token = read_token(token_secret(auth_extra_groups=groups), AUTHENTICATION, NOW)
    assert (token.id, token.secret) == ("abcdef", "0123456789abcdef")
    assert token.groups == (
        "system:bootstrappers",
        "system:bootstrappers:b",
        "system:bootstrappers:workers",
    )


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ({**token_secret(), "type": "Opaque"}, "not of type"),
        (token_secret(name="other"), "not that of its name"),
        (token_secret(token_id="xyz123", name="bootstrap-token-abcdef"), "not that of its name"),
        (token_secret(token_secret=""), "no token-secret"),
        (token_secret(expiration=PAST), "has expired"),
        (token_secret(expiration="soon"), "has expired"),
        (token_secret(usage_bootstrap_authentication="yes"), "is not true"),
        (token_secret(auth_extra_groups="system:masters"), "auth-extra-groups: 'system:masters'"),
        (token_secret(auth_extra_groups="system:bootstrappers:"), "auth-extra-groups"),
        ({**token_secret(), "data": {"token-id": "%%%"}}, "not that of its name"),
    ],
)
def test_what_is_no_good(secret: Object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_token(secret, AUTHENTICATION, NOW)


@pytest.mark.parametrize(("text", "left"), [("", None), (AHEAD, 60.0), (PAST, 0.0), ("2026-13-01", 0.0)])
def test_when_it_expires(text: str, left: float | None) -> None:
    assert expires_in_s(token_secret(expiration=text), NOW) == left


@pytest.mark.parametrize("token", ["abcdef", "abcdef.0123", "ABCDEF.0123456789abcdef", f"{TOKEN}\n"])
def test_what_does_not_look_like_one(token: str) -> None:
    assert split_token(token) is None


def test_what_does() -> None:
    assert split_token(TOKEN) == ("abcdef", "0123456789abcdef")
