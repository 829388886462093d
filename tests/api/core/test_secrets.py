"""Secrets."""

from typing import Any

import pytest

from tests.api.objects import cells, create, make, update
from wherry.api.core.secrets import SECRETS


def test_string_data_is_folded_into_data() -> None:
    obj, errors = create(SECRETS, make(SECRETS, data={"a": "eA==", "b": "eA=="}, stringData={"a": "y"}))
    assert errors == []
    assert obj["data"] == {"a": "eQ==", "b": "eA=="}
    assert "stringData" not in obj
    assert obj["type"] == "Opaque"
    assert cells(SECRETS, obj) == {"Name": "a", "Type": "Opaque", "Data": 2, "Age": "5m"}


@pytest.mark.parametrize(
    ("type_", "data", "texts"),
    [
        ("kubernetes.io/tls", {"tls.crt": ""}, ["data[tls.key]: Required value"]),
        ("kubernetes.io/ssh-auth", {}, ["data[ssh-privatekey]: Required value"]),
        (
            "kubernetes.io/basic-auth",
            {},
            ["data[username]: Required value", "data[password]: Required value"],
        ),
        ("kubernetes.io/basic-auth", {"password": ""}, []),
        ("kubernetes.io/dockerconfigjson", {}, ["data[.dockerconfigjson]: Required value"]),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": "e30="}, []),
        (
            "kubernetes.io/service-account-token",
            {},
            ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
        ),
        ("example.com/mine", {}, []),
    ],
)
def test_types_promise_keys(type_: str, data: dict[str, Any], texts: list[str]) -> None:
    assert create(SECRETS, make(SECRETS, type=type_, data=data))[1] == texts


def test_broken_docker_configuration_is_not_shown() -> None:
    obj = make(SECRETS, type="kubernetes.io/dockercfg", data={".dockercfg": "c2VjcmV0"})
    (text,) = create(SECRETS, obj)[1]
    assert text.startswith('data[.dockercfg]: Invalid value: "<secret contents redacted>"')


def test_the_type_stays() -> None:
    old = make(SECRETS, type="a/b")
    assert update(SECRETS, old, make(SECRETS, type="a/c"))[1] == [
        'type: Invalid value: "a/c": field is immutable'
    ]


def test_locked_once_immutable() -> None:
    old = make(SECRETS, type="Opaque", data={"a": "eA=="}, immutable=True)
    new = make(SECRETS, type="Opaque", data={"a": "eQ=="}, immutable=True)
    assert update(SECRETS, old, new)[1] == ["data: Forbidden: field is immutable when `immutable` is set"]
