"""The flags of kube-apiserver, and the API server they describe.

Source: cmd/kube-apiserver/app/options and staging/src/k8s.io/apiserver/pkg/server/options.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path

from wherry.apiserver.config import ALWAYS_ALLOW, NODE, RBAC, ApiServerConfig, FrontProxyConfig
from wherry.apiserver.user import User, with_authenticated
from wherry.cluster.alone.apiserver_unfollowed import AUDIT, AUDIT_SWITCHES, NO_AUDIT, UNFOLLOWED
from wherry.cluster.alone.flags import (
    DURATION,
    EMPTY_DEFAULT,
    NAMES,
    NUMBER,
    PORTS,
    SWITCH,
    Flag,
    FlagError,
    Values,
    idle,
    only,
    refused,
)
from wherry.cluster.alone.tls_flags import TLS_FLAGS, pair_of, tls_of

PROGRAM = "kube-apiserver"
IDENTITY = "x-remote-"
"""How headers begin that the server takes out of what it passes on (`apiserver/outbound`)."""
MODES = (RBAC, NODE, ALWAYS_ALLOW)
UNADVERTISABLE = "192.0.2.1"
"""Endpoints must not be on loopback: this one nobody goes to (RFC 5737)."""
PAIRS = (
    ("tls-cert-file", "tls-private-key-file"),
    ("kubelet-client-certificate", "kubelet-client-key"),
    ("proxy-client-cert-file", "proxy-client-key-file"),
)
"""Certificates and their keys: one alone would be taken together with another's."""
NO_ENCRYPTION = "objects are stored as they are; encrypt the disk below --data-dir, and leave the flag out"
NO_ETCD = (
    "objects are kept in SQLite below --data-dir, there is no etcd to speak to; leave the flag out "
    "and give --data-dir"
)

COMMON = (
    Flag("advertise-address", "The address at which other members of the cluster reach the server."),
    Flag("anonymous-auth", "Whether requests without credentials are anonymous ones.", SWITCH, "true"),
    Flag("authorization-mode", f"Who may do what: some of {', '.join(MODES)}.", NAMES, "Node,RBAC"),
    Flag("bind-address", "The address to listen on.", default="127.0.0.1", empty=EMPTY_DEFAULT),
    Flag("cert-dir", "Where apiserver.crt and apiserver.key lie unless they are named."),
    Flag("client-ca-file", "Whoever shows a certificate of one of these authorities is its user."),
    Flag("disable-admission-plugins", "Default plugins that do not run.", NAMES),
    Flag("enable-admission-plugins", "Plugins that run beside the default ones.", NAMES),
    Flag("kubelet-certificate-authority", "Who signs kubelets' certificates; else the clients' authority."),
    Flag("kubelet-client-certificate", "What is shown to kubelets."),
    Flag("kubelet-client-key", "Its key."),
    Flag("max-mutating-requests-inflight", "How many writes are served at once.", NUMBER, "200"),
    Flag("max-requests-inflight", "How many other requests are served at once.", NUMBER, "400"),
    Flag("min-request-timeout", "Seconds after which a watch ends at the soonest.", NUMBER, "1800"),
    Flag("proxy-client-cert-file", "What is shown to extension API servers."),
    Flag("proxy-client-key-file", "Its key."),
    Flag("requestheader-client-ca-file", "Who signs what is shown to extension API servers."),
    Flag("runtime-config", "API versions turned off and on, such as api/beta=false.", NAMES),
    Flag("secure-port", "The port to listen on, with TLS.", NUMBER, "6443"),
    Flag(
        "service-account-issuer",
        "Who issues tokens of service accounts; given again, whose tokens are taken beside.",
        NAMES,
        default="https://kubernetes.default.svc.cluster.local",
    ),
    Flag("service-account-key-file", "Further keys whose tokens are taken.", NAMES),
    Flag("service-account-signing-key-file", "The private key tokens are signed with."),
    Flag(
        "service-cluster-ip-range",
        "The range of ClusterIPs; a second one of the other IP family may follow after a comma.",
        default="10.96.0.0/16",
    ),
    Flag("service-node-port-range", "The range of node ports.", PORTS, "30000-32767", empty=EMPTY_DEFAULT),
    Flag("tls-cert-file", "The certificate to serve with."),
    Flag("tls-private-key-file", "Its key."),
    Flag("token-auth-file", "Static tokens: lines of token,user,uid,groups."),
    *TLS_FLAGS,
    Flag("api-audiences", "Whom tokens must be made for to be taken; else the issuer's name.", NAMES),
    Flag("request-timeout", "How long a request may take.", DURATION, "1m0s"),
    Flag("requestheader-allowed-names", "The names front proxies' certificates may have; else any.", NAMES),
    Flag("requestheader-extra-headers-prefix", "Of the headers that say more of the user.", NAMES),
    Flag("requestheader-group-headers", "Headers in which front proxies say the user's groups.", NAMES),
    Flag("requestheader-uid-headers", "The same, the user's uid.", NAMES),
    Flag("requestheader-username-headers", "The same, the user; without it no proxy is believed.", NAMES),
    Flag("service-account-max-token-expiration", "How long a token may be asked for.", DURATION, "0s"),
    only(
        "allow-privileged", "true", "Pod Security admission says where containers may be privileged", SWITCH
    ),
    Flag("enable-bootstrap-token-auth", "Whether bootstrap tokens are taken.", SWITCH, "false"),
    only("enable-garbage-collector", "true", "the controllers are told (--controllers)", SWITCH),
    only("endpoint-reconciler-type", "lease", "the server's address is always kept in its Service"),
    only("service-account-extend-token-expiration", "false", "a token ends when it says", SWITCH),
    only("service-account-lookup", "true", "what a token names must exist", SWITCH),
    only("strict-transport-security-directives", "", "the header is not sent"),
    *UNFOLLOWED,
)
SERVERS = "etcd-servers"
ETCD = (
    *("etcd-cafile", "etcd-certfile", "etcd-compaction-interval", "etcd-keyfile", "etcd-prefix"),
    *(SERVERS, "etcd-servers-overrides", "storage-backend"),
    *("etcd-count-metric-poll-period", "etcd-db-metric-poll-interval"),
    *("etcd-healthcheck-timeout", "etcd-readycheck-timeout"),
)
ENCRYPTION = ("encryption-provider-config",)
NOT_KEPT = "objects are in memory"

FLAGS = (
    *COMMON,
    Flag("data-dir", "Where the store lies, and keys that no flag names are made."),
    *(Flag(name, refused=NO_ETCD) for name in ETCD),
    *(Flag(name, refused=NO_ENCRYPTION) for name in ENCRYPTION),
    *refused(*AUDIT, why=f"{NO_AUDIT}; leave the flag out"),
    *refused(*AUDIT_SWITCHES, kind=SWITCH, why=f"{NO_AUDIT}; leave the flag out"),
)
"""Those of `wherry apiserver`: what would be missed is refused."""
FOR_TESTS = (
    *COMMON,
    Flag(SERVERS, "Where the stand-in for etcd is."),
    *idle(*(name for name in ETCD if name != SERVERS), *ENCRYPTION, why=NOT_KEPT),
    *idle(*AUDIT, why=NO_AUDIT),
    *idle(*AUDIT_SWITCHES, kind=SWITCH, why=NO_AUDIT),
)
"""Those of a server that keeps its objects in memory for a test."""


def api_server_config(values: Values, defaults: Mapping[str, Path] | None = None) -> ApiServerConfig:
    """The API server these flags describe.

    `defaults` are files by flag, for those that are not given. Raises FlagError, OSError for files that
    cannot be read.
    """
    from wherry.api.serving import parse_switches

    files = defaults or {}

    def file(name: str) -> Path | None:
        return values.path(name) or files.get(name)

    for cert, key in PAIRS:
        pair_of(values, cert, key)
    modes = values.names("authorization-mode")
    for mode in modes:
        if mode not in MODES:
            raise FlagError(f"authorization-mode {mode!r} is not served here; use some of {', '.join(MODES)}")
    if len(set(modes)) < len(modes):
        said = " ".join(f'"{mode}"' for mode in modes)
        raise FlagError(f"authorization-mode [{said}] has mode specified more than once")
    issuer, *former = values.names("service-account-issuer")
    directory = Path(values.text("cert-dir") or "/var/run/kubernetes")
    signing = file("service-account-signing-key-file") or _first(values, "service-account-key-file")
    if signing is None:
        raise FlagError("service-account-signing-key-file is a required flag")
    try:
        switches = parse_switches(values.text("runtime-config")) if values.has("runtime-config") else {}
    except ValueError as error:
        raise FlagError(f"runtime-config: {error}") from None
    return ApiServerConfig(
        host=values.text("bind-address"),
        port=values.number("secure-port"),
        tls_cert_file=file("tls-cert-file") or directory / "apiserver.crt",
        tls_key_file=file("tls-private-key-file") or directory / "apiserver.key",
        client_ca_file=file("client-ca-file"),
        service_account_key_file=signing,
        service_account_public_files=tuple(
            Path(name) for name in values.names("service-account-key-file") if Path(name) != signing
        ),
        service_account_issuer=issuer,
        service_account_former_issuers=tuple(former),
        api_audiences=values.names("api-audiences"),
        longest_token_s=_longest_token_s(values),
        tls=tls_of(values),
        front_proxy=_front_proxy(values),
        request_timeout_s=_request_timeout_s(values),
        service_cidr=_service_cidr(values),
        node_ports=values.ports("service-node-port-range"),
        advertise_address=_advertised(values.text("advertise-address")),
        kubelet_ca_file=file("kubelet-certificate-authority"),
        kubelet_client_cert_file=file("kubelet-client-certificate"),
        kubelet_client_key_file=file("kubelet-client-key"),
        requestheader_client_ca_file=file("requestheader-client-ca-file"),
        proxy_client_cert_file=file("proxy-client-cert-file"),
        proxy_client_key_file=file("proxy-client-key-file"),
        tokens=_tokens(values.path("token-auth-file")),
        # Who may do everything is not to be nobody: BuiltInAuthenticationOptions.ApplyAuthorization.
        bootstrap_tokens=values.is_on("enable-bootstrap-token-auth"),
        anonymous=values.is_on("anonymous-auth") and ALWAYS_ALLOW not in modes,
        authorization_modes=modes,
        runtime_config=switches,
        enable_admission_plugins=values.names("enable-admission-plugins"),
        disable_admission_plugins=values.names("disable-admission-plugins"),
        max_mutating_in_flight=values.number("max-mutating-requests-inflight"),
        max_reading_in_flight=values.number("max-requests-inflight"),
        min_watch_timeout_s=float(values.number("min-request-timeout")),
    )


def _longest_token_s(values: Values) -> int | None:
    name = "service-account-max-token-expiration"
    found = values.seconds(name)
    if not found:
        return None
    if not 3600 <= found <= 1 << 32:
        raise FlagError(f"the {name} must be between 1 hour and 2^32 seconds")
    return int(found)


def _request_timeout_s(values: Values) -> float:
    found = values.seconds("request-timeout")
    if found <= 0:
        raise FlagError("--request-timeout must be more than 0s")
    return found


def _front_proxy(values: Values) -> FrontProxyConfig:
    """Whom in front of the server to believe. Only headers that never go on to others may say who asks."""
    said = []
    for name in ("username-headers", "group-headers", "extra-headers-prefix", "uid-headers"):
        flag = f"requestheader-{name}"
        said.append(values.names(flag))
        for header in said[-1]:
            if not header.lower().startswith(IDENTITY):
                raise FlagError(
                    f"--{flag}: {header!r} would reach extension servers; use one that begins with X-Remote-"
                )
    return FrontProxyConfig(
        names=values.names("requestheader-allowed-names"),
        username_headers=said[0],
        group_headers=said[1],
        extra_prefixes=said[2],
        uid_headers=said[3],
    )


def _first(values: Values, name: str) -> Path | None:
    found = values.names(name)
    return Path(found[0]) if found else None


def _advertised(address: str) -> str:
    return address if address and not address.startswith("127.") and address != "::1" else UNADVERTISABLE


def _tokens(file: Path | None) -> Mapping[str, User]:
    """A file of `token,user,uid,"group,group"` lines (pkg authentication/token/tokenfile)."""
    if file is None:
        return {}
    found = {}
    with file.open(newline="") as lines:
        for row in csv.reader(lines):
            if len(row) < 3:
                raise FlagError(
                    f"token file {str(file)!r} must have at least 3 columns (token, user name, user uid)"
                )
            groups = [group.strip() for group in row[3].split(",")] if len(row) > 3 else []
            found[row[0]] = with_authenticated(User(row[1], tuple(filter(None, groups)), uid=row[2]))
    return found


def _service_cidr(values: Values) -> str:
    """One range, or one of each IP family. Raises FlagError."""
    flag = "service-cluster-ip-range"
    cidrs = values.names(flag)
    try:
        networks = [ip_network(cidr, strict=False) for cidr in cidrs]
    except ValueError as error:
        raise FlagError(f"--{flag}: {error}; give ranges such as 10.96.0.0/16") from None
    if not networks or len({network.version for network in networks}) < len(networks):
        raise FlagError(f"--{flag}: {','.join(cidrs)!r} should be one range, or one of each IP family")
    return ",".join(map(str, networks))
