"""The flags of kube-apiserver, and the API server they describe.

Source: cmd/kube-apiserver/app/options and staging/src/k8s.io/apiserver/pkg/server/options.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from wherry.apiserver.config import ApiServerConfig
from wherry.apiserver.user import AUTHENTICATED, User
from wherry.cluster.alone.flags import NAMES, NUMBER, PORTS, SWITCH, Flag, FlagError, Values, idle

PROGRAM = "kube-apiserver"
ALWAYS_ALLOW = "AlwaysAllow"
MODES = ("RBAC", "Node", ALWAYS_ALLOW)
UNADVERTISABLE = "192.0.2.1"
"""Endpoints must not be on loopback: this one nobody goes to (RFC 5737)."""
NO_ENCRYPTION = "objects are stored as they are; encrypt the disk below --data-dir, and leave the flag out"
NO_ETCD = (
    "objects are kept in SQLite below --data-dir, there is no etcd to speak to; leave the flag out "
    "and give --data-dir"
)

COMMON = (
    Flag("advertise-address", "The address at which other members of the cluster reach the server."),
    Flag(
        "allow-privileged", "Whether privileged containers are allowed; here they always are.", SWITCH, "true"
    ),
    Flag("anonymous-auth", "Whether requests without credentials are anonymous ones.", SWITCH, "true"),
    Flag("authorization-mode", f"Who may do what: some of {', '.join(MODES)}.", NAMES, "Node,RBAC"),
    Flag("bind-address", "The address to listen on.", default="127.0.0.1"),
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
        "Who issues tokens of service accounts.",
        default="https://kubernetes.default.svc.cluster.local",
    ),
    Flag("service-account-key-file", "Further keys whose tokens are taken.", NAMES),
    Flag("service-account-signing-key-file", "The private key tokens are signed with."),
    Flag("service-cluster-ip-range", "The range of ClusterIPs.", default="10.96.0.0/16"),
    Flag("service-node-port-range", "The range of node ports.", PORTS, "30000-32767"),
    Flag("tls-cert-file", "The certificate to serve with."),
    Flag("tls-private-key-file", "Its key."),
    Flag("token-auth-file", "Static tokens: lines of token,user,uid,groups."),
    *idle(
        *(
            "api-audiences",
            "default-watch-cache-size",
            "delete-collection-workers",
            "endpoint-reconciler-type",
        ),
        *("event-ttl", "external-hostname", "feature-gates", "kubelet-preferred-address-types"),
        *("lease-reuse-duration-seconds", "log-flush-frequency", "log-text-split-stream", "logging-format"),
        *("request-timeout", "requestheader-allowed-names", "requestheader-extra-headers-prefix"),
        *("requestheader-group-headers", "requestheader-username-headers", "vmodule", "watch-cache-sizes"),
        *("service-account-max-token-expiration", "shutdown-delay-duration", "storage-media-type"),
        *("strict-transport-security-directives", "tls-cipher-suites", "tls-min-version"),
    ),
    *idle(
        *("contention-profiling", "enable-aggregator-routing", "enable-bootstrap-token-auth"),
        *("enable-garbage-collector", "enable-priority-and-fairness", "permit-address-sharing"),
        *("permit-port-sharing", "profiling", "service-account-extend-token-expiration"),
        *("service-account-lookup", "watch-cache"),
        kind=SWITCH,
    ),
    Flag("v", "How much is logged: 4 and more means everything.", NUMBER, "0", short="v", is_idle=True),
)
SERVERS = "etcd-servers"
ETCD = (
    *("etcd-cafile", "etcd-certfile", "etcd-compaction-interval", "etcd-keyfile", "etcd-prefix"),
    *(SERVERS, "etcd-servers-overrides", "storage-backend"),
)
ENCRYPTION = ("encryption-provider-config",)
AUDIT = (
    *("audit-log-maxage", "audit-log-maxbackup", "audit-log-maxsize", "audit-log-path", "audit-policy-file"),
    "audit-webhook-config-file",
)
ELSEWHERE = ("egress-selector-config-file", "authentication-config", "authorization-config")

FLAGS = (
    *COMMON,
    Flag("data-dir", "Where the store lies, and keys that no flag names are made."),
    *(Flag(name, refused=NO_ETCD) for name in ETCD),
    *(Flag(name, refused=NO_ENCRYPTION) for name in ENCRYPTION),
    *(Flag(name, refused="there are no audit logs yet; leave the flag out") for name in AUDIT),
    *(Flag(name, refused="there is nothing like it yet; leave the flag out") for name in ELSEWHERE),
)
"""Those of `wherry apiserver`: what would be missed is refused."""
FOR_TESTS = (
    *COMMON,
    Flag(SERVERS, "Where the stand-in for etcd is."),
    *idle(*(name for name in ETCD if name != SERVERS), *ENCRYPTION, *AUDIT, *ELSEWHERE),
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

    modes = values.names("authorization-mode")
    for mode in modes:
        if mode not in MODES:
            raise FlagError(f"authorization-mode {mode!r} is not served here; use some of {', '.join(MODES)}")
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
        service_account_issuer=values.text("service-account-issuer"),
        service_cidr=values.names("service-cluster-ip-range")[0],
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
        anonymous=values.is_on("anonymous-auth") and ALWAYS_ALLOW not in modes,
        always_allow=ALWAYS_ALLOW in modes,
        runtime_config=switches,
        enable_admission_plugins=values.names("enable-admission-plugins"),
        disable_admission_plugins=values.names("disable-admission-plugins"),
        max_mutating_in_flight=values.number("max-mutating-requests-inflight"),
        max_reading_in_flight=values.number("max-requests-inflight"),
        min_watch_timeout_s=float(values.number("min-request-timeout")),
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
            found[row[0]] = User(row[1], (*groups, AUTHENTICATED), uid=row[2])
    return found
