"""cluster-info is signed with the tokens there are, and those that expired go."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from tests.controllers.bench import Bench, running
from tests.controllers.bootstrap.secrets import token_secret
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.secrets import SECRETS
from wherry.controllers.bootstrap.cleaning import TokenCleaner
from wherry.controllers.bootstrap.signing import BootstrapSigner, detached_signature
from wherry.objects.meta import Object, name_of
from wherry.testing import Cluster

CONTENT = "apiVersion: v1\nkind: Config\n"
INFO: Object = {
    "metadata": {"name": "cluster-info", "namespace": "kube-public"},
    "data": {"kubeconfig": CONTENT},
}


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_the_signature_is_a_jws_without_its_payload() -> None:
    header, payload, signature = detached_signature(CONTENT, "abcdef", "0123456789abcdef").split(".")
    assert json.loads(decoded(header)) == {"alg": "HS256", "kid": "abcdef"}
    assert payload == ""
    signed = f"{header}.{base64.urlsafe_b64encode(CONTENT.encode()).decode().rstrip('=')}"
    assert decoded(signature) == hmac.digest(b"0123456789abcdef", signed.encode(), hashlib.sha256)


def test_it_is_upstreams() -> None:
    """The example of cluster-bootstrap's own test (token/jws/jws_test.go)."""
    content = "Hello from the other side. I must have called a thousand times."
    assert detached_signature(content, "joshua", "my voice is my passcode") == (
        "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8"
    )


async def signatures(bench: Bench) -> dict[str, str]:
    """The signatures by token."""
    prefix = "jws-kubeconfig-"
    data = (await bench.get(CONFIG_MAPS, "cluster-info", "kube-public"))["data"]
    return {key.removeprefix(prefix): value for key, value in data.items() if key.startswith(prefix)}


async def test_cluster_info_has_a_signature_for_each_token_that_may() -> None:
    before = [(CONFIG_MAPS, INFO), (SECRETS, token_secret("aaaaaa"))]
    async with running(BootstrapSigner, before=before) as bench:
        assert set(await signatures(bench)) == {"aaaaaa"}
        await bench.create(SECRETS, token_secret("bbbbbb"))
        await bench.create(SECRETS, token_secret("cccccc", usage_bootstrap_signing="false"))
        first = await signatures(bench)
        assert set(first) == {"aaaaaa", "bbbbbb"}
        other = {"data": {"kubeconfig": "other"}}
        await bench.client.patch(CONFIG_MAPS, "cluster-info", "kube-public", other)
        await bench.settle()
        second = await signatures(bench)
        assert set(first.values()).isdisjoint(second.values())
        await bench.client.delete(SECRETS, "bootstrap-token-aaaaaa", "kube-system")
        await bench.settle()
        assert set(await signatures(bench)) == {"bbbbbb"}


async def test_without_a_kubeconfig_nothing_is_signed() -> None:
    before = [(CONFIG_MAPS, {**INFO, "data": {"x": "y"}}), (SECRETS, token_secret())]
    async with running(BootstrapSigner, before=before) as bench:
        assert (await bench.get(CONFIG_MAPS, "cluster-info", "kube-public"))["data"] == {"x": "y"}


async def test_a_token_goes_when_it_expires() -> None:
    before = [
        (SECRETS, token_secret("aaaaaa", expiration="2026-01-01T00:01:00Z")),
        (SECRETS, token_secret("bbbbbb")),
        (SECRETS, token_secret("cccccc", expiration="nonsense")),
    ]
    async with running(TokenCleaner, before=before) as bench:
        assert sorted(map(name_of, await bench.all(SECRETS))) == [
            "bootstrap-token-aaaaaa",
            "bootstrap-token-bbbbbb",
        ]
        await bench.clock.advance(60)
        await bench.settle()
        assert list(map(name_of, await bench.all(SECRETS))) == ["bootstrap-token-bbbbbb"]


def test_other_secrets_are_not_read_and_an_expired_token_signs_no_more() -> None:
    with Cluster() as c:
        c.client.create({"apiVersion": "v1", "kind": "ConfigMap", **INFO})
        secret = token_secret("aaaaaa", expiration="2026-01-01T00:01:00Z")
        c.client.create({"apiVersion": "v1", "kind": "Secret", **secret})
        c.clock.advance("1s")
        data = c.client.get("configmap", "cluster-info", "kube-public")["data"]
        assert "jws-kubeconfig-aaaaaa" in data
        c.clock.advance("2m")
        assert c.client.get("configmap", "cluster-info", "kube-public")["data"] == INFO["data"]
        names = [secret["metadata"]["name"] for secret in c.client.list("secrets", "kube-system")]
        assert "bootstrap-token-aaaaaa" not in names
