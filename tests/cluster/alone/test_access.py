"""Where a component alone finds its API server, and what is said when it cannot be read."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from wherry.cluster.alone import access
from wherry.cluster.alone.access import FLAGS, Access, find_access, read_access
from wherry.cluster.alone.flags import FlagError, parse
from wherry.cluster.leaves import Subject
from wherry.cluster.pki import Pki
from wherry.kit.clock import SystemClock
from wherry.kit.httpd.message import Response
from wherry.kit.httpd.server import Server
from wherry.kit.tls import TlsRules
from wherry.objects.errors import ApiError


def kubeconfig(path: Path, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> Path:
    content = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file = path / "kubeconfig"
    file.write_text(yaml.safe_dump(content))
    return file


async def test_what_is_in_it_and_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("CA")
    (tmp_path / "token").write_text("first\n")
    cert = base64.b64encode(b"CERT").decode()
    user = {"client-certificate-data": cert, "client-key": "key.pem", "tokenFile": "token"}
    (tmp_path / "key.pem").write_text("KEY")
    found = read_access(kubeconfig(tmp_path, {"certificate-authority": "ca.pem"}, user))
    assert (found.server, found.authority_pem) == ("https://127.0.0.1:6443", "CA")
    assert (found.cert_pem, found.key_pem) == ("CERT", "KEY")
    assert await found.token() == "first"
    (tmp_path / "token").write_text("second")
    assert await found.token() == "second"
    assert found.nobody() == Access(server=found.server, authority_pem="CA")
    assert read_access(tmp_path / "kubeconfig", "https://other:1").server == "https://other:1"


async def test_a_token_that_is_gone_is_an_answer_like_any_other(tmp_path: Path) -> None:
    transport = Access(server="https://127.0.0.1:1", token_file=tmp_path / "token").transport("p")
    with pytest.raises(ApiError, match=r"no token to prove who we are: .*/token: No such file") as caught:
        await transport.call("GET", "/version")
    assert caught.value.code == 503
    await transport.close()


@pytest.mark.parametrize(
    ("cluster", "user", "message"),
    [
        ({"server": "ftp://x"}, {}, "server must be an https:// URL, is 'ftp://x'"),
        ({}, {"exec": {"command": "x"}}, "exec is not followed here; use a certificate or a token"),
        (
            {},
            {"auth-provider": {"name": "x"}},
            "auth-provider is not followed here; use a certificate or a token",
        ),
        ({}, {"as": "jane"}, "as is not followed here; name a user with the rights themselves"),
        ({}, {"as-groups": ["ops"]}, "as-groups is not followed here"),
        ({}, {"as-uid": "1"}, "as-uid is not followed here"),
        ({}, {"as-user-extra": {"a": ["b"]}}, "as-user-extra is not followed here"),
        (
            {},
            {"username": "jane", "password": "x"},
            "username is not followed here; use a certificate or a tok",
        ),
        ({}, {"password": "x"}, "password is not followed here"),
        ({"proxy-url": "http://p"}, {}, "proxy-url is not followed here; give the server's own address"),
        (
            {"insecure-skip-tls-verify": True, "certificate-authority": "ca.pem"},
            {},
            "insecure-skip-tls-verify",
        ),
        ({}, {"client-key-data": "S0VZ"}, "client-certificate and client-key go together; give both"),
        ({}, {"client-certificate-data": "S0VZ"}, "client-certificate and client-key go together; give both"),
        ({"certificate-authority-data": "?"}, {}, "certificate-authority-data is not base64 of a PEM text"),
        ({"certificate-authority": "gone"}, {}, "certificate-authority: .*/gone: No such file or directory"),
    ],
)
def test_what_cannot_be_followed(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], message: str
) -> None:
    with pytest.raises(FlagError, match=message):
        read_access(kubeconfig(tmp_path, cluster, user))


def test_every_field_of_upstreams_is_followed_or_refused(tmp_path: Path) -> None:
    """Source: k8s.io/client-go, tools/clientcmd/api/v1 (Cluster, AuthInfo)."""
    cluster = (
        "server tls-server-name insecure-skip-tls-verify certificate-authority certificate-authority-data"
    )
    cluster += " proxy-url disable-compression extensions"
    user = "client-certificate client-certificate-data client-key client-key-data token tokenFile as as-uid"
    user += " as-groups as-user-extra username password auth-provider exec extensions"
    assert set(cluster.split()) == access.CLUSTER_FIELDS | access.REFUSED["cluster"].keys()
    assert set(user.split()) == access.USER_FIELDS | access.REFUSED["user"].keys()
    kubeconfig(tmp_path, {"proxy-url": "", "tls-server-name": ""}, {"as": None, "username": ""})
    assert read_access(tmp_path / "kubeconfig").server_name == "", "what says nothing is not there"


async def test_the_servers_certificate_may_have_another_name(tmp_path: Path) -> None:
    pki = Pki(tmp_path, SystemClock().now())
    pair = pki.leaf("server", Subject(common_name="api", hosts=("api.example",)))
    tls = TlsRules().context()
    tls.load_cert_chain(pair.cert, pair.key)
    server = Server(lambda request: Response(b"{}"), ssl_context=tls, clock=SystemClock())
    port = await server.start("127.0.0.1", 0)
    said = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(pki.authority.cert)}
    for name, is_heard in (("api.example", True), ("", False)):
        transport = read_access(kubeconfig(tmp_path, {**said, "tls-server-name": name})).transport("p")
        if is_heard:
            assert await transport.call("GET", "/version") == {}
        else:
            with pytest.raises(ApiError, match="certificate verify failed"):
                await transport.call("GET", "/version")
        await transport.close()
    await server.close()


def test_contexts_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(FlagError, match="no such file; check --kubeconfig"):
        read_access(tmp_path / "none")
    file = tmp_path / "kubeconfig"
    file.write_text("current-context: x")
    with pytest.raises(FlagError, match="current-context means the context 'x', which is not among its"):
        read_access(file)


async def test_a_pod_needs_no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "POD_SECRETS", tmp_path)
    values = parse("p", FLAGS, [])
    with pytest.raises(FlagError, match="--kubeconfig is missing, and this is no pod"):
        find_access(values, {})
    pod = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(FlagError, match=r"ca\.crt: No such file or directory; give --kubeconfig"):
        find_access(values, pod)
    (tmp_path / "ca.crt").write_text("CA")
    (tmp_path / "token").write_text("t")
    found = find_access(values, pod)
    assert (found.server, found.authority_pem, await found.token()) == ("https://[fd00::1]:443", "CA", "t")
    assert find_access(parse("p", FLAGS, ["--master=https://m"]), {}).server == "https://m"
