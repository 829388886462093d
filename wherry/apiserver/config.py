"""What an API server is told when it is made: `ApiServerConfig`. It reads nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wherry.apiserver.user import User
from wherry.kit.tls import DEFAULT_TLS, TlsRules

if TYPE_CHECKING:
    from wherry.apiserver.admission.unattended import Unattended

NODE, RBAC, ALWAYS_ALLOW = "Node", "RBAC", "AlwaysAllow"
"""Authorization modes, as upstream calls them."""
DEFAULT_ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontProxyConfig:
    """Proxies that say in headers whom they ask for, and extension servers are told the same.

    `names` are the common names their certificates may have, none for any. Headers are read from them in
    turn; without `username_headers` no proxy is believed here.
    """

    names: tuple[str, ...] = ()
    username_headers: tuple[str, ...] = ()
    group_headers: tuple[str, ...] = ()
    extra_prefixes: tuple[str, ...] = ()
    uid_headers: tuple[str, ...] = ()


NO_FRONT_PROXY = FrontProxyConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerConfig:
    """One API server.

    `port` 0 takes any free port. `client_ca_file` verifies client certificates, `kubelet_ca_file`
    (the client CA if None) the kubelets' serving certificates. `service_account_key_file` is the
    private key (PEM, EC P-256 or RSA) tokens are signed with; `service_account_public_files` are
    further keys whose tokens are taken, for rotation. `node_ports` is inclusive. `tokens` maps
    static bearer tokens to users. With `anonymous` off, a request without credentials is refused
    even where everybody may read (health, version).
    """

    host: str = "127.0.0.1"
    port: int = 6443
    tls_cert_file: Path
    tls_key_file: Path
    client_ca_file: Path | None = None
    service_account_key_file: Path
    service_account_public_files: tuple[Path, ...] = ()
    service_account_issuer: str = DEFAULT_ISSUER
    service_account_former_issuers: tuple[str, ...] = ()
    """Tokens that name one of these are taken too: a cluster's issuer may have been called otherwise."""
    api_audiences: tuple[str, ...] = ()
    """What a token must be made for to be taken here; the issuer when none is named."""
    longest_token_s: int | None = None
    """What a request for a longer token of a service account is cut down to; None for a year."""
    tls: TlsRules = DEFAULT_TLS
    service_cidr: str = "10.96.0.0/16"
    """The range of cluster addresses; a second one of the other IP family may follow after a comma."""
    node_ports: tuple[int, int] = (30000, 32767)
    cluster_dns: str = ""
    """The ClusterIP of the Service `kube-dns`; "" where there is none."""
    advertise_address: str = "127.0.0.1"
    listen_on_advertised: bool = False
    """Also listen on the advertised address, which need not exist yet when the server starts."""
    advertise_port: int = 0
    """Port other machines and pods reach this server at; 0: the port it listens on."""
    kubelet_client_cert_file: Path | None = None
    kubelet_client_key_file: Path | None = None
    kubelet_ca_file: Path | None = None
    proxy_client_cert_file: Path | None = None
    """Shown to extension API servers, which believe whoever shows it when it says whom it asks for."""
    proxy_client_key_file: Path | None = None
    requestheader_client_ca_file: Path | None = None
    """Who signed it: an authority that signs nothing else, so that no other certificate is believed so."""
    front_proxy: FrontProxyConfig = NO_FRONT_PROXY
    tokens: Mapping[str, User] = field(default_factory=dict)
    anonymous: bool = True
    bootstrap_tokens: bool = True
    authorization_modes: tuple[str, ...] = (NODE, RBAC)
    """Who is asked, in turn, whether a request may be done; AlwaysAllow is for tests."""
    runtime_config: Mapping[str, bool] = field(default_factory=dict)
    """API versions turned off and on, as `wherry.api.serving` says."""
    cluster_name: str = "default"
    enable_admission_plugins: tuple[str, ...] = ()
    """Plugins that run beside the default ones."""
    disable_admission_plugins: tuple[str, ...] = ()
    """Default plugins that do not run."""
    unattended: tuple[Unattended, ...] = ()
    """Kinds nobody in the cluster acts on, of which whoever creates one is warned."""
    max_mutating_in_flight: int = 200
    max_reading_in_flight: int = 400
    request_timeout_s: float = 60.0
    min_watch_timeout_s: float = 1800.0
    watch_buffer_bytes: int = 8 * 1024 * 1024
    """A watcher that lets more than this pile up is cut off."""
    waiting_bytes: int = 256 * 1024 * 1024
    """When more than this waits for all clients together, those that are furthest behind are cut off."""
    waiting_bytes_per_user: int = 64 * 1024 * 1024
    """The same, for the clients of one user."""

    @property
    def service_cidrs(self) -> tuple[str, ...]:
        """The ranges of cluster addresses, the one whose IP family Services have by themselves first."""
        return tuple(cidr.strip() for cidr in self.service_cidr.split(","))

    @property
    def audiences(self) -> tuple[str, ...]:
        """Audiences a token must be made for to be taken here."""
        return self.api_audiences or (self.service_account_issuer, *self.service_account_former_issuers)
