"""The flags of kube-apiserver that tests pass, and the configuration they stand for.

Source: cmd/kube-apiserver/app/options and staging/src/k8s.io/apiserver/pkg/server/options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wherry.apiserver.config import ApiServerConfig
from wherry.apiserver.user import AUTHENTICATED, User


class FlagError(ValueError):
    """The flags cannot be followed; the message is upstream's where it has one."""


USED = (
    "advertise-address",
    "allow-privileged",
    "anonymous-auth",
    "authorization-mode",
    "bind-address",
    "cert-dir",
    "client-ca-file",
    "disable-admission-plugins",
    "enable-admission-plugins",
    "etcd-servers",
    "max-mutating-requests-inflight",
    "max-requests-inflight",
    "min-request-timeout",
    "proxy-client-cert-file",
    "proxy-client-key-file",
    "request-timeout",
    "requestheader-client-ca-file",
    "runtime-config",
    "secure-port",
    "service-account-issuer",
    "service-account-key-file",
    "service-account-signing-key-file",
    "service-cluster-ip-range",
    "service-node-port-range",
    "tls-cert-file",
    "tls-private-key-file",
    "token-auth-file",
)
WITHOUT_EFFECT = (
    "api-audiences",
    "audit-log-maxage",
    "audit-log-maxbackup",
    "audit-log-maxsize",
    "audit-log-path",
    "audit-policy-file",
    "audit-webhook-config-file",
    "contention-profiling",
    "default-watch-cache-size",
    "delete-collection-workers",
    "egress-selector-config-file",
    "enable-aggregator-routing",
    "enable-bootstrap-token-auth",
    "enable-garbage-collector",
    "enable-priority-and-fairness",
    "encryption-provider-config",
    "endpoint-reconciler-type",
    "etcd-cafile",
    "etcd-certfile",
    "etcd-compaction-interval",
    "etcd-keyfile",
    "etcd-prefix",
    "event-ttl",
    "external-hostname",
    "feature-gates",
    "kubelet-certificate-authority",
    "kubelet-client-certificate",
    "kubelet-client-key",
    "kubelet-preferred-address-types",
    "lease-reuse-duration-seconds",
    "log-flush-frequency",
    "log-text-split-stream",
    "logging-format",
    "permit-address-sharing",
    "permit-port-sharing",
    "profiling",
    "requestheader-allowed-names",
    "requestheader-extra-headers-prefix",
    "requestheader-group-headers",
    "requestheader-username-headers",
    "service-account-extend-token-expiration",
    "service-account-lookup",
    "service-account-max-token-expiration",
    "shutdown-delay-duration",
    "storage-backend",
    "storage-media-type",
    "strict-transport-security-directives",
    "tls-cipher-suites",
    "tls-min-version",
    "v",
    "vmodule",
    "watch-cache",
    "watch-cache-sizes",
)
"""Taken, since suites pass them, and said to change nothing here."""
BOOLEAN = frozenset(
    {"allow-privileged", "anonymous-auth", "contention-profiling", "profiling", "watch-cache"}
)
TRUE, FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")
"""What Go's strconv.ParseBool takes."""
MOST_PORT = 65535
MODES = ("RBAC", "Node", "AlwaysAllow")
HELP = (
    "Stands in for kube-apiserver where a test starts one. WHERRY_ENVTEST_CONTROLLERS=all (or names, as of\n"
    "kube-controller-manager --controllers) runs the controllers and the scheduler beside it.\n\n"
    + "".join(f"  --{name} string\n" for name in sorted((*USED, *WITHOUT_EFFECT)) if len(name) > 1)
    + "  -v, --v Level\n"
)


@dataclass(slots=True)
class Flags:
    """What was passed: values by flag, the last of each."""

    values: dict[str, str] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        """A flag's value."""
        return self.values.get(name) or default

    def is_on(self, name: str, *, default: bool) -> bool:
        """A boolean flag's value. Raises FlagError."""
        text = self.values.get(name)
        if text is None:
            return default
        if text not in TRUE + FALSE:
            raise _invalid(name, text, "ParseBool")
        return text in TRUE

    def number(self, name: str, default: int) -> int:
        """A number. Raises FlagError."""
        text = self.values.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise _invalid(name, text, "ParseInt")
        return int(text)

    def ports(self, name: str, default: tuple[int, int]) -> tuple[int, int]:
        """The first and last port of a range: "1-9", "1+8" or "1" (util/net.PortRange). Raises FlagError."""
        text = self.values.get(name, "").strip()
        if not text:
            return default
        first, sign, rest = text.partition("+") if "+" in text else text.partition("-")
        low = _port(name, text, first)
        high = low if not sign else _port(name, text, rest) + (low if sign == "+" else 0)
        if high > MOST_PORT:
            raise _wrong(name, text, f"the port range cannot be greater than {MOST_PORT}: {text}")
        if high < low:
            raise _wrong(name, text, f"end port cannot be less than start port: {text}")
        return low, high

    def names(self, name: str) -> tuple[str, ...]:
        """A list."""
        return tuple(part for part in self.get(name).split(",") if part)

    @property
    def without_effect(self) -> list[str]:
        """What was passed and changes nothing."""
        return [name for name in self.values if name in WITHOUT_EFFECT and name not in ("v", "vmodule")]


def _wrong(name: str, text: str, why: str) -> FlagError:
    return FlagError(f'invalid argument "{text}" for "--{name}" flag: {why}')


def _invalid(name: str, text: str, parser: str) -> FlagError:
    return _wrong(name, text, f'strconv.{parser}: parsing "{text}": invalid syntax')


def _port(name: str, text: str, part: str) -> int:
    if not (part.isascii() and part.isdigit() and len(part) < 10):
        raise _wrong(name, text, f"unable to parse port range: {text}")
    return int(part)


def parse(arguments: Sequence[str]) -> Flags:
    """The flags in `--name=value`, `--name value` and `--boolean` form. Raises FlagError."""
    flags, left = Flags(), list(arguments)
    while left:
        argument = left.pop(0)
        name, equals, value = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or not name:
            raise FlagError(f'unknown command "{argument}" for "kube-apiserver"')
        if name not in USED and name not in WITHOUT_EFFECT:
            raise FlagError(f"unknown flag: --{name}")
        if not equals:
            if name not in BOOLEAN and not left:
                raise FlagError(f"flag needs an argument: --{name}")
            value = "true" if name in BOOLEAN else left.pop(0)
        flags.values[name] = value
    return flags


def api_server_config(flags: Flags) -> ApiServerConfig:
    """The API server these flags describe. Raises FlagError, OSError for files that cannot be read."""
    from wherry.api.serving import parse_switches

    modes = flags.names("authorization-mode") or ("AlwaysAllow",)
    for mode in modes:
        if mode not in MODES:
            raise FlagError(f"authorization-mode {mode!r} is not served here; use some of {', '.join(MODES)}")
    directory = Path(flags.get("cert-dir", "/var/run/kubernetes"))
    signing = flags.get("service-account-signing-key-file") or flags.get("service-account-key-file")
    if not signing:
        raise FlagError("service-account-signing-key-file is a required flag")
    address = flags.get("bind-address", "127.0.0.1")
    try:
        switches = parse_switches(flags.get("runtime-config")) if flags.get("runtime-config") else {}
    except ValueError as error:
        raise FlagError(f"runtime-config: {error}") from None
    return ApiServerConfig(
        host=address,
        port=flags.number("secure-port", 6443),
        tls_cert_file=Path(flags.get("tls-cert-file") or directory / "apiserver.crt"),
        tls_key_file=Path(flags.get("tls-private-key-file") or directory / "apiserver.key"),
        client_ca_file=_path(flags, "client-ca-file"),
        service_account_key_file=Path(signing),
        service_account_public_files=_public_files(flags, signing),
        service_account_issuer=flags.get("service-account-issuer", "https://kubernetes.default.svc"),
        service_cidr=flags.names("service-cluster-ip-range")[0]
        if flags.get("service-cluster-ip-range")
        else "10.0.0.0/24",
        node_ports=flags.ports("service-node-port-range", (30000, 32767)),
        # Endpoints must not be on loopback, where tests listen; nobody goes there.
        advertise_address=_advertised(flags.get("advertise-address")),
        requestheader_client_ca_file=_path(flags, "requestheader-client-ca-file"),
        proxy_client_cert_file=_path(flags, "proxy-client-cert-file"),
        proxy_client_key_file=_path(flags, "proxy-client-key-file"),
        tokens=_tokens(flags.get("token-auth-file")),
        # Who may do everything is not to be nobody: BuiltInAuthenticationOptions.ApplyAuthorization.
        anonymous=flags.is_on("anonymous-auth", default=True) and "AlwaysAllow" not in modes,
        always_allow="AlwaysAllow" in modes,
        runtime_config=switches,
        enable_admission_plugins=flags.names("enable-admission-plugins"),
        disable_admission_plugins=flags.names("disable-admission-plugins"),
        max_mutating_in_flight=flags.number("max-mutating-requests-inflight", 200),
        max_reading_in_flight=flags.number("max-requests-inflight", 400),
        min_watch_timeout_s=float(flags.number("min-request-timeout", 1800)),
    )


def _advertised(address: str) -> str:
    return address if address and not address.startswith("127.") and address != "::1" else "192.0.2.1"


def _path(flags: Flags, name: str) -> Path | None:
    return Path(flags.get(name)) if flags.get(name) else None


def _public_files(flags: Flags, signing: str) -> tuple[Path, ...]:
    return tuple(Path(name) for name in flags.names("service-account-key-file") if name != signing)


def _tokens(file: str) -> Mapping[str, User]:
    """A file of `token,user,uid,"group,group"` lines (pkg authentication/token/tokenfile)."""
    import csv

    if not file:
        return {}
    found = {}
    with Path(file).open(newline="") as lines:
        for row in csv.reader(lines):
            if len(row) < 3:
                raise FlagError(
                    f"token file {file!r} must have at least 3 columns (token, user name, user uid)"
                )
            groups = [group.strip() for group in row[3].split(",")] if len(row) > 3 else []
            found[row[0]] = User(row[1], (*groups, AUTHENTICATED), uid=row[2])
    return found
