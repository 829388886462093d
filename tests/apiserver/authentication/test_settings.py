"""Settings of who is let in: audiences, how long tokens live, what TLS is at least, proxies in front."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from multidict import CIMultiDict

from tests.apiserver.rig import ALICE, Rig, api_server, config_map, files, running
from tests.apiserver.rig import config as rig_config
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver.app import server_tls
from wherry.apiserver.authentication.certificates import certificate_user
from wherry.apiserver.authentication.front_proxy import FrontProxy
from wherry.apiserver.config import FrontProxyConfig
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User
from wherry.cluster.identities import FRONT_PROXY_AUTHORITY
from wherry.cluster.leaves import KeyPair, Subject
from wherry.cluster.pki import Pki
from wherry.kit.clock import SystemClock
from wherry.kit.httpd.message import Connection, RequestHeaders
from wherry.kit.tls import authority_of, end_of, subject_of, tls_rules

ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default/token"
SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
PROXIES = FrontProxyConfig(
    names=("front-proxy",),
    username_headers=("X-Remote-User",),
    group_headers=("X-Remote-Group",),
    extra_prefixes=("X-Remote-Extra-",),
    uid_headers=("X-Remote-Uid",),
)
ASKED = CIMultiDict(
    [
        ("X-Remote-User", "jane"),
        ("X-Remote-Group", "dev"),
        ("X-Remote-Group", "CN=a,system:masters,O=b"),
        ("X-Remote-Extra-Team%2Fa", "x"),
        ("X-Remote-Uid", "7"),
    ]
)


async def account(rig: Rig) -> None:
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})


async def issued(rig: Rig, **spec: Any) -> tuple[dict[str, Any], Any]:
    """What a TokenRequest is answered, and the warnings beside."""
    await account(rig)
    status, body, headers = await rig.http("POST", ACCOUNT, {"spec": spec})
    assert status == 201, body
    return body, headers


async def test_a_token_must_be_for_one_of_the_audiences() -> None:
    async with running(api_audiences=("here", "there")) as rig:
        body, _ = await issued(rig)
        assert body["spec"]["audiences"] == ["here", "there"]
        for audiences, status in ((["there"], 201), ([rig.server.core.config.service_account_issuer], 401)):
            body, _ = await issued(rig, audiences=audiences)
            token = body["status"]["token"]
            assert (await rig.http("POST", SELF, {}, token=token))[0] == status
            review = {"spec": {"token": token}}
            _, answer, _ = await rig.http("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
            assert answer["status"].get("authenticated", False) is (status == 201)


async def test_tokens_of_a_former_issuer_are_taken() -> None:
    async with running(service_account_issuer="https://old") as rig:
        body, _ = await issued(rig)
        copied = rig.store.copy(SystemClock())
    for former, status in ((("https://old",), 201), ((), 401)):
        issuers: dict[str, Any] = {
            "service_account_issuer": "https://new",
            "service_account_former_issuers": former,
        }
        server = api_server(copied, SystemClock(), **issuers)
        await server.start(listens=False)
        found = server.core.authenticator.review(body["status"]["token"], server.core.authenticator.audiences)
        assert (found is not None) is (status == 201)
        await server.close()
    await copied.close()


@pytest.mark.parametrize(
    ("modes", "node", "alice"),
    [
        (("Node", "RBAC"), True, False),
        (("RBAC",), False, False),
        (("AlwaysAllow",), True, True),
        (("Node",), True, False),
    ],
)
async def test_only_modes_that_are_named_decide(modes: tuple[str, ...], node: bool, alice: bool) -> None:
    async with running(authorization_modes=modes) as rig:
        core = rig.server.core
        own = RequestInfo("get", "", True, "", "v1", "", "nodes", "n1", "")
        as_node = User("system:node:n1", ("system:nodes", "system:authenticated"))
        assert core.authorizer.decide(as_node, own).allowed is node
        assert core.authorizer.decide(ALICE, own).allowed is alice
        reviews = RequestInfo(
            "create", "", True, "authorization.k8s.io", "v1", "", "selfsubjectaccessreviews", "", ""
        )
        assert core.authorizer.decide(ALICE, reviews).allowed is (modes != ("Node",)), "what roles give"


@pytest.mark.parametrize(("asked_s", "given_s"), [(7200, 3600), (3600, 3600), (600, 600)])
async def test_a_longer_token_is_cut_down(asked_s: int, given_s: int) -> None:
    async with running(longest_token_s=3600) as rig:
        body, headers = await issued(rig, expirationSeconds=asked_s)
        assert body["spec"]["expirationSeconds"] == given_s
        warning = f"requested expiration of {asked_s} seconds shortened to {given_s} seconds"
        assert (warning in headers.get("Warning", "")) is (asked_s != given_s)


async def test_an_older_version_of_tls_is_refused() -> None:
    async with running(tls=tls_rules("VersionTLS13", ())) as rig:
        context = ssl.create_default_context(cafile=str(files().authority.cert))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(f"{rig.server.url}/version")
        assert (await rig.http("GET", "/version"))[0] == 200


async def who(rig: Rig, pair: KeyPair, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """As whom the server takes somebody who shows a certificate and says `headers`."""
    context = ssl.create_default_context(cafile=str(files().authority.cert))
    context.load_cert_chain(pair.cert, pair.key)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.post(rig.server.url + SELF, json={}, headers=headers) as answer,
    ):
        body = await answer.json()
        return answer.status, body["status"]["userInfo"] if answer.ok else {}


async def test_a_proxy_with_the_right_name_says_whom_it_asks_for() -> None:
    async with running(front_proxy=PROXIES) as rig:
        status, user = await who(rig, files().front_proxy_client, ASKED)
        assert (status, user["username"]) == (201, "jane")
        assert user["groups"] == ["dev", "CN=a,system:masters,O=b", "system:authenticated"]
        assert (user["extra"], user["uid"]) == ({"team/a": ["x"]}, "7")
        assert (await who(rig, files().front_proxy_client, {}))[0] == 401, "it is nobody itself"
        status, user = await who(rig, files().admin, ASKED)
        assert (status, user["username"]) == (201, "kubernetes-admin"), "a client's headers say nothing"


async def test_a_proxy_with_another_name_is_nobody() -> None:
    pki = Pki(files().tokens_key.parent, datetime.now(UTC))
    other = pki.leaf("other-proxy", Subject(common_name="kubernetes-admin", authority=FRONT_PROXY_AUTHORITY))
    async with running(front_proxy=PROXIES) as rig:
        assert (await who(rig, other, ASKED))[0] == 401
    async with running() as rig:  # no headers are believed, so nobody signed so may come at all
        with pytest.raises(aiohttp.ClientError):
            await who(rig, files().front_proxy_client, ASKED)


@pytest.mark.parametrize("is_below", [True, False])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_is_known_however_often_it_comes(
    version: ssl.TLSVersion, is_below: bool, tmp_path: Path
) -> None:
    """Though an authority below the clients' signed for it, and it would take its TLS session up again."""
    settings = rig_config(front_proxy=PROXIES)
    server = server_tls(settings)
    server.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    told = FrontProxy.of(settings)
    assert told is not None
    shown = tmp_path / "client.pem"
    shown.write_bytes(files().admin.cert.read_bytes() + files().admin.key.read_bytes())
    if is_below:
        shown.write_bytes(signed_by_another("kubernetes-admin", "system:masters"))
    client = ssl.create_default_context(cafile=str(files().authority.cert))
    client.maximum_version = version
    client.load_cert_chain(shown)
    session = None
    for _ in range(2):
        peer, mine = handshake(server, client, session)
        session = mine.session
        certificate = peer.getpeercert(binary_form=True)
        connection = Connection(None, certificate, authority_of(peer), subject_of(peer))
        assert told.is_client(connection)
        assert end_of(peer) == first_end(shown), "the first of its chain"
        assert told.user_of(connection, RequestHeaders({"x-remote-user": "root"})) is None
        user = certificate_user(connection)
        assert user is not None
        assert (user.name, user.groups) == ("kubernetes-admin", ("system:masters", "system:authenticated"))
    assert mine.session_reused is (version == ssl.TLSVersion.TLSv1_2)


def first_end(pem: Path) -> datetime:
    """When the first of some certificates ends."""
    return min(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(pem.read_bytes()))


class LaterClock(SystemClock):
    """The machine's clock, ahead of it as far as a test says."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


async def test_a_certificate_that_ends_while_its_connection_is_open_says_nothing_more(tmp_path: Path) -> None:
    """Upstream judges each request by its own time; what is under way goes on."""
    shown = tmp_path / "client.pem"
    shown.write_bytes(signed_by_another("kubernetes-admin", "system:masters"))
    context = ssl.create_default_context(cafile=str(files().authority.cert))
    context.load_cert_chain(shown)
    clock, token = LaterClock(), {"Authorization": "Bearer admin-token"}
    maps = "/api/v1/namespaces/default/configmaps"
    async with (
        running(clock, anonymous=True, front_proxy=PROXIES) as rig,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=2), base_url=rig.server.url
        ) as session,
        session.get(maps, params={"watch": "1"}) as watch,
    ):

        async def asked(path: str = maps, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
            async with session.get(path, headers=headers) as answer:
                return answer.status, await answer.json()

        connections: set[int] = set()
        rig.server.core.authenticator.authenticate = seen_by(rig, connections)  # type: ignore[method-assign]
        clock.ahead = first_end(shown) - SystemClock().now() - timedelta(seconds=30)
        assert (await asked())[0] == 200
        clock.ahead += timedelta(minutes=1)
        status, body = await asked()
        assert (status, body["message"], body["reason"]) == (401, "Unauthorized", "Unauthorized")
        assert (await asked(f"{maps}/kube-root-ca.crt"))[0] == 401, "nor for what is answered at once"
        assert (await asked("/version"))[0] == 401, "nobody else either"
        assert (await asked(headers=token))[0] == 200, "a token still says who it is"
        assert len(connections) == 1, "all of it on one connection"
        await rig.admin.create(CONFIG_MAPS, config_map("late"))
        assert b"late" in await watch.content.readline(), "what is under way goes on"


def seen_by(rig: Rig, connections: set[int]) -> Any:
    """The server's way to know who asks, which notes the connections by their peers' ports."""
    authenticate = rig.server.core.authenticator.authenticate

    def noting(connection: Connection, headers: RequestHeaders) -> User:
        assert connection.peer is not None
        connections.add(connection.peer[1])
        return authenticate(connection, headers)

    return noting


def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends of a TLS connection in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    mine = client.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
    peer = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (mine, peer, mine, peer):
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    with suppress(ssl.SSLWantReadError):
        mine.read(1)  # tickets, if the server gives any
    return peer, mine


def signed_by_another(name: str, group: str) -> bytes:
    """PEM of a client's certificate, the authority that signed it, which the clients' signed, and its key."""
    root = x509.load_pem_x509_certificate(files().authority.cert.read_bytes())
    root_key = serialization.load_pem_private_key(files().authority.key.read_bytes(), None)
    middle_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def named(*pairs: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
        return x509.Name([x509.NameAttribute(kind, text) for kind, text in pairs])

    def signed(
        subject: x509.Name, own: ec.EllipticCurvePrivateKey, by: x509.Name, signer: Any, *, is_ca: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(by).public_key(own.public_key())
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
        made = made.not_valid_after(now + timedelta(hours=1 if is_ca else 2))
        made = made.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        return made.sign(signer, hashes.SHA256())

    between = named((NameOID.COMMON_NAME, "between"))
    subject = named((NameOID.ORGANIZATION_NAME, group), (NameOID.COMMON_NAME, name))
    middle = signed(between, middle_key, root.subject, root_key, is_ca=True)
    leaf = signed(subject, key, between, middle_key, is_ca=False)
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return leaf.public_bytes(pem) + middle.public_bytes(pem) + key.private_bytes(pem, *plain)


async def test_extension_servers_are_told_the_same() -> None:
    async with running(front_proxy=PROXIES, from_nothing=True) as rig:
        path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
        _, body, _ = await rig.http("GET", path)
        assert body["data"]["requestheader-allowed-names"] == '["front-proxy"]'
        assert body["data"]["requestheader-username-headers"] == '["X-Remote-User"]'
