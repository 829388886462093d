"""The API server: its parts, put together, started and stopped. `front` is its filter chain.

Starting: open the sources everything depends on, rebuild the allocators, bring the cluster's first
objects in place, listen. Everything else is opened when first asked for.
"""

from __future__ import annotations

import logging
import random
import ssl
from collections.abc import Mapping

import orjson

from wherry.api.catalog import BUILTIN
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.secrets import SECRETS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.scheduling.priority_classes import PRIORITY_CLASSES
from wherry.api.serving import select_served
from wherry.apiserver.admission.catalog import built_in_chain
from wherry.apiserver.aggregation.aggregator import Aggregator
from wherry.apiserver.allocation.following import FOLLOWED, Following
from wherry.apiserver.allocation.repair import Repair
from wherry.apiserver.allocation.services import ServiceAllocator
from wherry.apiserver.authentication.bootstrap_tokens import BootstrapTokens
from wherry.apiserver.authentication.chain import Authenticator
from wherry.apiserver.authentication.front_proxy import FrontProxy
from wherry.apiserver.authentication.legacy_use import LegacyTokenUse
from wherry.apiserver.authentication.service_accounts import SigningKeys, TokenIssuer, TokenVerifier
from wherry.apiserver.authorization.always_allow import AlwaysAllow
from wherry.apiserver.authorization.base import SubAuthorizer
from wherry.apiserver.authorization.chain import Authorizer
from wherry.apiserver.authorization.node import NodeAuthorizer
from wherry.apiserver.authorization.node_graph import OF_NODES
from wherry.apiserver.authorization.rbac import RBAC_RESOURCES, RbacAuthorizer
from wherry.apiserver.body_budgets import BodyBudgets
from wherry.apiserver.bootstrap import dns_service
from wherry.apiserver.bootstrap.component_roles import NODE as NODE_RULES
from wherry.apiserver.bootstrap.kubernetes_service import KubernetesService
from wherry.apiserver.bootstrap.policy import lines
from wherry.apiserver.bootstrap.run import bootstrap
from wherry.apiserver.bootstrap.service_cidr import DefaultServiceCidr
from wherry.apiserver.bootstrap.token_tracking import TokenTracking
from wherry.apiserver.config import ALWAYS_ALLOW, NODE, RBAC, ApiServerConfig
from wherry.apiserver.core import Core
from wherry.apiserver.customresources.controller import CustomResources
from wherry.apiserver.front import Front
from wherry.apiserver.health import Health
from wherry.apiserver.local import LocalTransport, Warned
from wherry.apiserver.metrics import RequestMetrics
from wherry.apiserver.outbound import Outbound
from wherry.apiserver.paths import Paths
from wherry.apiserver.registry import Registry
from wherry.apiserver.seats import Seats
from wherry.apiserver.sinks import LocalSink
from wherry.apiserver.start_hooks import (
    AGGREGATION_HOOKS,
    BOOTSTRAP_HOOKS,
    CUSTOM_RESOURCE_HOOKS,
    StartHooks,
)
from wherry.apiserver.user import BOOTSTRAP, LOOPBACK, User
from wherry.client.api import Client
from wherry.client.transport import Transport
from wherry.kit.certificates import ServedCertificate
from wherry.kit.clock import Clock
from wherry.kit.httpd.message import Response
from wherry.kit.httpd.server import Server
from wherry.kit.httpd.waiting import WaitingBudget
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kit.tls import without_tickets
from wherry.objects.errors import ApiError, bad_request, internal, too_large, too_many_requests
from wherry.store.base import KEPT_FREE_BYTES, TransactingStore

log = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 3 * 1024 * 1024
CERTIFICATE_LOOKED_AT_S = 60.0
"""How often the files of the serving certificate are looked at (dynamiccertificates.FileRefreshDuration)."""
USUAL_PORT = 6443
"""Upstream's, told to pods of a server that listens nowhere."""
STORE_FULL = (
    "the store is full: creations and updates that grow are refused; "
    "delete what is not needed, or free disk space: "
    f"the last {KEPT_FREE_BYTES >> 20} MiB of the disk are kept for deletions"
)
OPENED_AT_START = (
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    *FOLLOWED,
    PRIORITY_CLASSES,
    *RBAC_RESOURCES,
    *OF_NODES,
)


class ApiServer:
    """One API server over one store, which it does not close."""

    def __init__(
        self, config: ApiServerConfig, store: TransactingStore, clock: Clock, rng: random.Random | None = None
    ) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        rng = rng or random.SystemRandom()
        registry = Registry(store, clock)
        registry.add(select_served(BUILTIN, config.runtime_config))
        self._rbac = RbacAuthorizer(registry)
        self._nodes = NodeAuthorizer(registry, lines(*NODE_RULES))
        keys = SigningKeys(config.service_account_key_file, config.service_account_public_files)
        self._verifier = verifier = TokenVerifier(
            keys,
            (config.service_account_issuer, *config.service_account_former_issuers),
            clock,
            registry,
            config.audiences,
        )
        authorizers: Mapping[str, SubAuthorizer] = {
            NODE: self._nodes,
            RBAC: self._rbac,
            ALWAYS_ALLOW: AlwaysAllow(),
        }
        self.metrics = RequestMetrics(Seats(config.max_reading_in_flight, config.max_mutating_in_flight))
        self.core = Core(
            config=config,
            store=store,
            clock=clock,
            random=rng,
            registry=registry,
            authenticator=Authenticator(
                verifier,
                config.tokens,
                config.audiences,
                clock,
                anonymous=config.anonymous,
                front_proxy=FrontProxy.of(config),
                bootstrap_tokens=BootstrapTokens(registry, clock) if config.bootstrap_tokens else None,
            ),
            authorizer=Authorizer(self._rbac, [authorizers[mode] for mode in config.authorization_modes]),
            admission=built_in_chain(
                self.metrics.webhooks,
                config.enable_admission_plugins,
                config.disable_admission_plugins,
                config.unattended,
            ),
            services=ServiceAllocator(registry, store, clock, rng, config.service_cidrs, config.node_ports),
            tokens=TokenIssuer(keys, config.service_account_issuer, clock, rng),
            outbound=Outbound(),
            waiting=WaitingBudget(config.waiting_bytes, config.waiting_bytes_per_user),
            aggregator=Aggregator(),
        )
        self.budgets = BodyBudgets(self.core.authenticator)
        self._hooks = StartHooks()
        health = Health(
            {"etcd": self._store_problem, **self._hooks.checks()},
            {
                "etcd-readiness": self._store_problem,
                "informer-sync": self._sync_problem,
                "shutdown": self._shutdown_problem,
            },
            self._store_warning,
        )
        self._paths = Paths(self.core, self.metrics, health)
        registry.on_change += [self._paths.forget, self.metrics.forget, self.core.stored.forget]
        self._front = Front(self.core, self._paths, self.metrics)
        self._server: Server | None = None
        self._certificate: ServedCertificate | None = None
        self._addresses = Following(registry, store, self.core.services)
        self._custom: CustomResources | None = None
        self._kubernetes: KubernetesService | None = None
        self._service_cidr: DefaultServiceCidr | None = None
        self._repair: Repair | None = None
        self._token_use: LegacyTokenUse | None = None
        self._token_tracking: TokenTracking | None = None
        self._tasks = Tasks("api server")
        self._reloading = Repeater(
            "the serving certificate", self._reload, self._tasks, clock, expected=(OSError,)
        )
        self._port = 0
        self._ready = False
        self._closing = False
        self._local_sinks: set[LocalSink] = set()

    @property
    def url(self) -> str:
        """Where the server listens, once started."""
        host = self._config.host
        if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            host = "127.0.0.1"
        return f"https://{f'[{host}]' if ':' in host else host}:{self._port}"

    @property
    def port(self) -> int:
        """The port the server listens on, once started."""
        return self._port

    async def start(self, *, listens: bool = True, is_founded: bool = False) -> None:
        """Return when every request can be answered.

        Unless it `listens`, only `local_transport` reaches the server, until `listen` is called, and no
        certificate is needed. `is_founded` says that the store holds what a first start leaves: it is not
        looked for again. Raises OSError when the address cannot be bound or a key file not be read, ApiError
        when the store cannot.
        """
        core, config = self.core, self._config
        core.began_at = self._store.revision
        await core.registry.open(OPENED_AT_START)
        await self._addresses.start()
        self._rbac.start()
        await core.admission.start(core)
        if listens:
            await self.listen()
        port = config.advertise_port or self._port or config.port or USUAL_PORT
        self._paths.listen_at(f"{config.advertise_address}:{port}")
        starter = Client(self.local_transport(BOOTSTRAP), field_manager="kube-apiserver")
        self._kubernetes = KubernetesService(core, starter, config.advertise_address, port)
        self._service_cidr = DefaultServiceCidr(core, starter)
        self._token_tracking = TokenTracking(core, starter)
        if not is_founded:
            await bootstrap(core, starter, self._kubernetes, self._service_cidr, self._token_tracking)
        await self._kubernetes.follow()
        await self._service_cidr.follow()
        if config.cluster_dns:
            await dns_service.bring_about(core, starter, config.cluster_dns)
        client = Client(self.local_transport(LOOPBACK), field_manager="kube-apiserver")
        self._repair = Repair(core, client)
        self._repair.follow()
        self._token_use = LegacyTokenUse(client, self._clock)
        self._verifier.used = self._token_use.note
        self._token_tracking.start()
        self._hooks.finish(BOOTSTRAP_HOOKS)
        self._custom = CustomResources(core, starter, core.aggregator.registry_changed)
        await self._custom.start()
        self._hooks.finish(CUSTOM_RESOURCE_HOOKS)
        await core.aggregator.start(core, client, starter)
        self._hooks.finish(AGGREGATION_HOOKS)
        self._ready = True

    async def listen(self) -> None:
        """Answer over HTTPS too. Raises OSError: the address cannot be bound, or a file not be read."""
        config = self._config
        tls = server_tls(config)
        self._certificate = ServedCertificate(tls, config.tls_cert_file, config.tls_key_file)
        self._reloading.poke()
        self._server = Server(
            self._front.handle,
            ssl_context=tls,
            body_limit=BODY_LIMIT_BYTES,
            refuse=refusal,
            held_for=self.budgets.of,
            waiting=self.core.waiting,
            clock=self._clock,
        )
        self._port = await self._server.start(config.host, config.port)
        if config.listen_on_advertised:
            await self._server.start(config.advertise_address, self._port, freebind=True)

    def reload_certificate(self) -> None:
        """Show the certificate that lies there now. Raises OSError while it cannot be used."""
        if self._certificate is not None and self._certificate.reload():
            log.info("a new serving certificate is shown")

    async def _reload(self) -> float:
        self.reload_certificate()
        return CERTIFICATE_LOOKED_AT_S

    def local_transport(self, user: User, warned: Warned | None = None) -> Transport:
        """A transport that acts as `user` without HTTP; usable once the server has started.

        `warned` is called with the warnings of each answer that has some.
        """
        return LocalTransport(self.core, self._paths, user, sinks=self._local_sinks, warned=warned)

    async def close(self, grace_s: float = 0.0) -> None:
        """End watches, let requests under way finish for `grace_s` seconds, then stop."""
        self._closing = True
        self._ready = False
        self._front.close()
        for sink in list(self._local_sinks):
            sink.end()
        if self._server is not None:
            await self._server.close(grace_s)
        await self._reloading.close()
        await self._tasks.close()
        for part in (
            self._kubernetes,
            self._service_cidr,
            self._repair,
            self._token_use,
            self._token_tracking,
        ):
            if part is not None:
                await part.close()
        if self._custom is not None:
            await self._custom.close()
        await self.core.aggregator.close()
        self.core.admission.close()
        await self.core.outbound.close()
        self._rbac.close()
        self._addresses.close()
        await self.core.registry.close()
        self.core.threads.close()

    def _store_problem(self) -> str:
        return "the server is stopping" if self._closing else self.core.store_problem

    def _store_warning(self) -> str:
        return STORE_FULL if self.core.store.is_full else ""

    def _shutdown_problem(self) -> str:
        return "process is shutting down" if self._closing else ""

    def _sync_problem(self) -> str:
        return "" if self._ready else "the server is starting or stopping"


def server_tls(config: ApiServerConfig) -> ssl.SSLContext:
    """TLS for the listening side, its own certificate apart: clients' are asked for and checked."""
    context = config.tls.context()
    context.set_alpn_protocols(["http/1.1"])
    authorities = [config.client_ca_file]
    if config.front_proxy.username_headers:
        authorities.append(config.requestheader_client_ca_file)
        # A ticket does not say to which authority the certificate of its session leads.
        without_tickets(context)
    for authority in authorities:
        if authority is not None:
            context.load_verify_locations(str(authority))
            context.verify_mode = ssl.CERT_OPTIONAL
    return context


def refusal(status: int) -> Response:
    """How the server words what it refuses before anybody handles it: as a metav1.Status."""
    error = too_large(BODY_LIMIT_BYTES) if status == 413 else _REFUSALS.get(status, _BROKEN)
    return Response(orjson.dumps(error.status()), status)


_BROKEN = internal("see the server's log")
_REFUSALS = {
    400: bad_request("the request is not well-formed HTTP/1.1"),
    408: ApiError(408, "Timeout", "the request did not arrive in time"),
    429: too_many_requests("Too many requests, please try again later."),
    431: ApiError(431, "", "the request's target and headers are too large"),
    501: ApiError(501, "", "Unsupported transfer encoding"),
}
