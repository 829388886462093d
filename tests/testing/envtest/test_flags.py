"""The flags envtest passes become a configuration; what cannot be followed is refused in upstream's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.testing.envtest.flags import FlagError, api_server_config, parse

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


def test_what_envtest_passes() -> None:
    config = api_server_config(parse(PASSED))
    assert (config.host, config.port, config.service_cidr) == ("127.0.0.1", 40000, "10.0.0.0/24")
    assert config.tls_cert_file == Path("/tmp/certs/apiserver.crt")
    assert config.client_ca_file == Path("/tmp/certs/client-cert-auth-ca.crt")
    assert config.service_account_key_file == Path("/tmp/certs/sa-signer.key")
    assert config.service_account_public_files == (Path("/tmp/certs/sa-signer.crt"),)
    assert config.service_account_issuer == "https://127.0.0.1:40000/"
    assert config.disable_admission_plugins == ("ServiceAccount",)
    assert not config.always_allow


def test_other_forms_and_what_changes_nothing(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text('secret,jane,7,"dev,ops"\n')
    flags = parse(
        [
            *PASSED,
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
    assert config.always_allow
    assert config.runtime_config == {"batch/v1": False}
    assert config.tokens["secret"].name == "jane"
    assert config.tokens["secret"].groups[:2] == ("dev", "ops")
    assert flags.without_effect == ["feature-gates"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no-such-flag=1"], "unknown flag: --no-such-flag"),
        (["serve"], 'unknown command "serve" for "kube-apiserver"'),
        ([*PASSED, "--secure-port=many"], 'invalid argument "many" for "--secure-port" flag'),
        ([*PASSED, "--anonymous-auth=perhaps"], "strconv.ParseBool"),
        ([*PASSED, "--authorization-mode=Webhook"], "'Webhook' is not served here"),
        ([*PASSED, "--runtime-config==x"], "runtime-config: "),
        (["--secure-port=1"], "service-account-signing-key-file is a required flag"),
    ],
)
def test_what_cannot_be_followed(arguments: list[str], message: str) -> None:
    with pytest.raises(FlagError, match=message.replace("(", r"\(")):
        api_server_config(parse(arguments))
