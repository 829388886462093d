"""The flags envtest passes become a configuration; what cannot be followed is refused in upstream's words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wherry.apiserver.config import ALWAYS_ALLOW
from wherry.cluster.alone.apiserver_flags import FLAGS, FOR_TESTS, api_server_config
from wherry.cluster.alone.flags import Flag, FlagError, Values
from wherry.cluster.alone.flags import parse as parse_flags
from wherry.testing.envtest.flags import FLAGS as STAND_IN

PASSED = [
    "--allow-privileged=true",
    "--authorization-mode=RBAC",
    "--bind-address=127.0.0.1",
    "--cert-dir=/tmp/certs",
    "--client-ca-file=/tmp/certs/client-cert-auth-ca.crt",
    "--disable-admission-plugins=ServiceAccount",
    "--etcd-servers=http://127.0.0.1:2379",
    "--secure-port=40000",
    "--service-account-issuer=https://127.0.0.1:40000/",
    "--service-account-key-file=/tmp/certs/sa-signer.crt",
    "--service-account-signing-key-file=/tmp/certs/sa-signer.key",
    "--service-cluster-ip-range=10.0.0.0/24",
]
"""What controller-runtime v0.25 passes by default."""


def parse(arguments: list[str]) -> Values:
    return parse_flags("kube-apiserver", FOR_TESTS, arguments)


def test_what_envtest_passes() -> None:
    config = api_server_config(parse(PASSED))
    assert (config.host, config.port, config.service_cidr) == ("127.0.0.1", 40000, "10.0.0.0/24")
    assert config.tls_cert_file == Path("/tmp/certs/apiserver.crt")
    assert config.client_ca_file == Path("/tmp/certs/client-cert-auth-ca.crt")
    assert config.service_account_key_file == Path("/tmp/certs/sa-signer.key")
    assert config.service_account_public_files == (Path("/tmp/certs/sa-signer.crt"),)
    assert config.service_account_issuer == "https://127.0.0.1:40000/"
    assert config.disable_admission_plugins == ("ServiceAccount",)
    assert config.authorization_modes == ("RBAC",)


def test_ranges_of_cluster_addresses() -> None:
    def ranges(text: str) -> str:
        return api_server_config(parse([*PASSED[:-1], f"--service-cluster-ip-range={text}"])).service_cidr

    assert ranges("10.0.0.9/24, fd00::/108") == "10.0.0.0/24,fd00::/108"
    for text in ("10.0.0.0/24,10.1.0.0/24", "10.0.0.0/33", "fd00::/108,10.0.0.0/24,10.1.0.0/24"):
        with pytest.raises(FlagError, match="service-cluster-ip-range"):
            ranges(text)


def test_several_issuers() -> None:
    """The first issues, and tokens of all are taken: for each of them, unless audiences are named."""
    old = "--service-account-issuer=https://old"
    config = api_server_config(parse([*PASSED, old]))
    assert config.service_account_issuer == "https://127.0.0.1:40000/"
    assert config.service_account_former_issuers == ("https://old",)
    assert config.audiences == ("https://127.0.0.1:40000/", "https://old")


@pytest.mark.parametrize("flags", [FOR_TESTS, STAND_IN], ids=["alone", "for envtest"])
@pytest.mark.parametrize(
    ("passed", "allowed"),
    [
        ([], None),
        (["--authorization-mode=AlwaysAllow", "--anonymous-auth=true"], False),
        (["--authorization-mode=RBAC"], True),
        (["--authorization-mode=RBAC", "--anonymous-auth=false"], False),
    ],
)
def test_nobody_is_administrator(flags: tuple[Flag, ...], passed: list[str], allowed: bool | None) -> None:
    """Upstream's default mode, which is the stand-in's, allows everything, and then asks who it is."""
    others = [flag for flag in PASSED if not flag.startswith("--authorization-mode")]
    config = api_server_config(parse_flags("kube-apiserver", flags, [*others, *passed]))
    assert config.anonymous == (flags is FOR_TESTS if allowed is None else allowed)
    assert not (config.anonymous and ALWAYS_ALLOW in config.authorization_modes)


def test_other_forms_and_what_changes_nothing(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text('secret,jane,7,"dev,ops"\n')
    flags = parse(
        [
            *(flag for flag in PASSED if not flag.startswith("--authorization-mode")),
            "--authorization-mode",
            "AlwaysAllow",
            "--anonymous-auth",
            "--feature-gates=A=true",
            "--token-auth-file",
            str(tokens),
            "--runtime-config=batch/v1=false",
            "-v=4",
        ]
    )
    config = api_server_config(flags)
    assert config.authorization_modes == (ALWAYS_ALLOW,)
    assert not config.anonymous, "nobody in particular may not do everything"
    assert config.runtime_config == {"batch/v1": False}
    assert config.tokens["secret"].name == "jane"
    assert config.tokens["secret"].groups[:2] == ("dev", "ops")
    assert flags.idle == ["feature-gates"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no-such-flag=1"], "unknown flag: --no-such-flag"),
        (["serve"], 'unknown command "serve" for "kube-apiserver"'),
        ([*PASSED, "--secure-port=many"], 'invalid argument "many" for "--secure-port" flag'),
        ([*PASSED, "--anonymous-auth=perhaps"], "strconv.ParseBool"),
        ([*PASSED, "--authorization-mode=Webhook"], "'Webhook' is not served here"),
        ([*PASSED, "--authorization-mode=RBAC"], 'authorization-mode ["RBAC" "RBAC"] has mode'),
        ([*PASSED, "--runtime-config==x"], "runtime-config: "),
        ([*PASSED, "--service-node-port-range=abc"], "unable to parse port range: abc"),
        ([*PASSED, "--service-node-port-range=9-1"], "end port cannot be less than start port: 9-1"),
        ([*PASSED, "--service-node-port-range=60000+6000"], "cannot be greater than 65535"),
        ([*PASSED, "--secure-port"], "flag needs an argument: --secure-port"),
        (["--secure-port=1"], "service-account-signing-key-file is a required flag"),
    ],
)
def test_what_cannot_be_followed(arguments: list[str], message: str) -> None:
    with pytest.raises(FlagError, match=re.escape(message)):
        api_server_config(parse(arguments))


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("30000-30005", (30000, 30005)),
        ("30000+10", (30000, 30010)),
        ("30000", (30000, 30000)),
        ("", (30000, 32767)),
    ],
)
def test_ranges_of_ports(text: str, ports: tuple[int, int]) -> None:
    assert api_server_config(parse([*PASSED, f"--service-node-port-range={text}"])).node_ports == ports


@pytest.mark.parametrize(("text", "is_on"), [("1", True), ("T", True), ("0", False), ("False", False)])
def test_booleans_as_go_reads_them(text: str, is_on: bool) -> None:
    passed = [*PASSED, f"--anonymous-auth={text}"]
    assert api_server_config(parse(passed)).anonymous is is_on


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("etcd-servers", "--etcd-servers: objects are kept in SQLite below --data-dir, there is no etcd"),
        ("encryption-provider-config", "--encryption-provider-config: objects are stored as they are"),
        ("audit-log-path", "--audit-log-path: there are no audit logs yet"),
    ],
)
def test_what_would_be_missed_is_refused_by_a_server_that_keeps_objects(flag: str, message: str) -> None:
    with pytest.raises(FlagError, match=message):
        parse_flags("kube-apiserver", FLAGS, [f"--{flag}=x"])
