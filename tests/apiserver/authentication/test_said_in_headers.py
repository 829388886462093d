"""Identities said in headers: values count whole, and who is authenticated is upstream's rule everywhere."""

from __future__ import annotations

import pytest

from wherry.apiserver.authentication.chain import bearer_token
from wherry.apiserver.authentication.front_proxy import FrontProxy
from wherry.apiserver.authentication.impersonation import Impersonation
from wherry.apiserver.authentication.said_in_headers import said_extra
from wherry.apiserver.config import FrontProxyConfig
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User, with_authenticated
from wherry.kit.httpd.message import Connection, RequestHeaders
from wherry.objects.errors import forbidden

PROXIES = FrontProxyConfig(
    username_headers=("X-Remote-User", "X-Remote-Name"),
    group_headers=("X-Remote-Group",),
    extra_prefixes=("X-Remote-Extra-",),
)
DN = "CN=devs,system:masters,O=corp"


def headers(*lines: tuple[str, str]) -> RequestHeaders:
    made = RequestHeaders()
    for name, value in lines:
        made.add(name, value)
    return made


def proxied(*lines: tuple[str, str]) -> User:
    proxy = FrontProxy(PROXIES, [b"CA"], [])
    user = proxy.user_of(Connection(None, b"cert", b"CA", [("commonName", "proxy")]), headers(*lines))
    assert user is not None
    return user


INFO = RequestInfo("get", "", True, "", "v1", "", "nodes", "n")


def acting_as(*lines: tuple[str, str]) -> tuple[User, list[tuple[str, str]]]:
    asked: list[tuple[str, str]] = []

    def check(_: User, info: RequestInfo) -> None:
        if info.verb == "impersonate":
            asked.append((info.resource, info.name))
        else:
            raise forbidden(info.resource, info.group, info.name, "constrained")

    return Impersonation(check).impersonated(User("admin"), headers(*lines), INFO), asked


def test_a_proxys_values_are_never_cut_up() -> None:
    user = proxied(
        *(("x-remote-user", "jane"), ("x-remote-user", "other")),
        *(("x-remote-group", DN), ("x-remote-group", ""), ("x-remote-group", "ops")),
        *(("x-remote-extra-dn", "CN=jane,O=corp"), ("x-remote-extra-dn", "b")),
    )
    assert user.name == "jane", "the first header says it"
    assert user.groups == (DN, "ops", "system:authenticated")
    assert not user.is_master
    assert user.extra == {"dn": ("CN=jane,O=corp", "b")}


def test_who_acts_as_another_says_whole_values_too() -> None:
    user, asked = acting_as(
        *(("impersonate-user", "jane"), ("impersonate-group", DN), ("impersonate-group", "ops")),
        ("impersonate-extra-dn", "CN=jane,O=corp"),
    )
    assert user.groups == (DN, "ops", "system:authenticated")
    assert user.extra == {"dn": ("CN=jane,O=corp",)}
    assert asked == [("users", "jane"), ("groups", DN), ("groups", "ops"), ("userextras", "CN=jane,O=corp")]


def test_names_are_utf_8_and_what_is_none_is_nobody_elses_name() -> None:
    assert proxied(("x-remote-user", "jürgen".encode().decode("latin-1"))).name == "jürgen"
    assert proxied(("x-remote-user", "jürgen")).name == "j\ufffdrgen"


def test_keys_are_decoded_behind_lower_case() -> None:
    said = headers(("p-a%2fb", "1"), ("p-%41", "2"), ("p-%zz%41", "3"), ("p-%ff", "4"))
    assert said_extra(said, ("P-",)) == {"a/b": ("1",), "A": ("2",), "%zz%41": ("3",), "\ufffd": ("4",)}


def test_the_first_authorization_counts() -> None:
    assert bearer_token(headers(("authorization", "Bearer a"), ("authorization", "Bearer b"))) == "a"


@pytest.mark.parametrize(
    ("name", "groups", "expected"),
    [
        ("jane", (), ("system:authenticated",)),
        ("jane", ("ops", "system:authenticated"), ("ops", "system:authenticated")),
        ("jane", ("system:unauthenticated",), ("system:unauthenticated",)),
        ("system:anonymous", ("system:unauthenticated",), ("system:unauthenticated",)),
    ],
)
def test_who_is_authenticated(name: str, groups: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """Of whoever proves it, and however: upstream's conditions are the same for all."""
    assert with_authenticated(User(name, groups)).groups == expected
    said = [("x-remote-user", name), *(("x-remote-group", group) for group in groups)]
    assert proxied(*said).groups == expected
    said = [("impersonate-user", name), *(("impersonate-group", group) for group in groups)]
    assert acting_as(*said)[0].groups == expected


def test_nobody_without_groups() -> None:
    assert proxied(("x-remote-user", "system:anonymous")).groups == ()
    assert acting_as(("impersonate-user", "system:anonymous"))[0].groups == ("system:unauthenticated",)
