"""Whether a component is well, over HTTPS: /healthz, /livez and /readyz, as upstream's components answer.

Without a certificate the component makes itself one. Source: k8s.io/apiserver, pkg/server/healthz, and
pkg/server/options (SecureServingOptions).
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from wherry.cluster.alone.flags import (
    EMPTY_DEFAULT,
    LOGGING,
    METRICS,
    NAMES,
    NO_HTTP2,
    NUMBER,
    OTHER_CERTIFICATES,
    OTHER_LEVELS,
    SWITCH,
    Flag,
    Values,
    idle,
    only,
    refused,
)
from wherry.cluster.alone.tls_flags import TLS_FLAGS, pair_of, tls_of
from wherry.cluster.components import PermanentError
from wherry.kit.httpd.message import Answer, Request, Response
from wherry.kit.httpd.server import Server

PATHS = ("/healthz", "/livez", "/readyz")
HEALTH_ALONE = "health alone is served, to anybody"
TEXT = "text/plain; charset=utf-8"
Check = Callable[[], str]
"""Returns "" when all is well, else what is wrong."""


def serving_flags(port: int) -> tuple[Flag, ...]:
    """The flags of a component that serves its health on `port`."""
    return (
        Flag("secure-port", "The port health is served on, with TLS; 0 for none.", NUMBER, str(port)),
        Flag("bind-address", "The address it is served on.", default="127.0.0.1", empty=EMPTY_DEFAULT),
        Flag("tls-cert-file", "The certificate to serve with; else one is made."),
        Flag("tls-private-key-file", "Its key."),
        *TLS_FLAGS,
        only("authorization-always-allow-paths", ",".join(PATHS), "everybody may ask for health", NAMES),
        *idle(
            *("authentication-kubeconfig", "authorization-kubeconfig", "client-ca-file"),
            *("requestheader-client-ca-file", "requestheader-allowed-names"),
            *("requestheader-extra-headers-prefix", "requestheader-group-headers"),
            *("requestheader-uid-headers", "requestheader-username-headers"),
            *("authentication-token-webhook-cache-ttl", "authorization-webhook-cache-authorized-ttl"),
            "authorization-webhook-cache-unauthorized-ttl",
            why=HEALTH_ALONE,
        ),
        *idle(
            *("authentication-skip-lookup", "authentication-tolerate-lookup-failure"),
            kind=SWITCH,
            why=HEALTH_ALONE,
        ),
        *idle("cert-dir", why="a certificate that is made is kept nowhere"),
        *idle(
            *("kube-api-qps", "kube-api-burst", "kube-api-content-type", "feature-gates"),
        ),
        *idle("profiling", "contention-profiling", kind=SWITCH),
        *idle("permit-address-sharing", "permit-port-sharing", kind=SWITCH),
        *refused("tls-sni-cert-key", why=OTHER_CERTIFICATES),
        *refused("emulated-version", "min-compatibility-version", why=OTHER_LEVELS),
        only("emulation-forward-compatible", "false", "one level of the API is served", SWITCH),
        *NO_HTTP2,
        *METRICS,
        *LOGGING,
    )


@asynccontextmanager
async def answering_health(values: Values, checks: Mapping[str, Check]) -> AsyncIterator[int]:
    """Answer for the time of the block; gives the port, 0 when nothing is served.

    Raises PermanentError when it cannot be served.
    """
    host, port = values.text("bind-address"), values.number("secure-port")
    async with answering_at(host, port, checks, "--secure-port", partial(_tls, values, host)) as bound:
        yield bound


@asynccontextmanager
async def answering_at(
    host: str,
    port: int,
    checks: Mapping[str, Check],
    flag: str,
    tls: Callable[[], ssl.SSLContext] | None = None,
) -> AsyncIterator[int]:
    """The same on an address; `flag` chooses another port. Without `tls` in the clear."""
    if not port:
        yield 0
        return
    server = Server(Health(checks).answer, ssl_context=tls() if tls is not None else None)
    try:
        bound = await server.start(host, port)
    except OSError as error:
        raise PermanentError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose with {flag}"
        ) from error
    try:
        yield bound
    finally:
        await server.close()


class Health:
    """Named checks, answered in upstream's form."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks: dict[str, Check] = {"ping": str, **checks}

    async def answer(self, request: Request) -> Answer:
        """200 "ok" or 500 with what failed; every check listed when `verbose` is asked for."""
        _, prefix, *rest = request.path.rstrip("/").split("/")
        if f"/{prefix}" not in PATHS or len(rest) > 1 or (rest and rest[0] not in self._checks):
            return _text("404 page not found\n", 404)
        if rest:
            problem = self._checks[rest[0]]()
            return _text(f"internal server error: {problem}\n", 500) if problem else _text("ok")
        problems = {name: check() for name, check in self._checks.items()}
        lines = [
            f"[-]{name} failed: reason withheld" if problem else f"[+]{name} ok"
            for name, problem in problems.items()
        ]
        if any(problems.values()):
            return _text("\n".join([*lines, f"{prefix} check failed", ""]), 500)
        if "verbose" not in request.query:
            return _text("ok")
        return _text("\n".join([*lines, f"{prefix} check passed", ""]))


def _tls(values: Values, host: str) -> ssl.SSLContext:
    context = tls_of(values).context()
    named = pair_of(values, "tls-cert-file", "tls-private-key-file")
    if named is not None:
        context.load_cert_chain(*named)
        return context
    from wherry.cluster.leaves import Subject
    from wherry.cluster.pki import Pki

    with tempfile.TemporaryDirectory(prefix="wherry-") as directory:
        subject = Subject(common_name=values.program, hosts=("localhost", "127.0.0.1", host))
        pair = Pki(Path(directory), datetime.now(UTC)).leaf("serving", subject)
        context.load_cert_chain(pair.cert, pair.key)
    return context


def _text(text: str, status: int = 200) -> Response:
    return Response(text.encode(), status, TEXT)
