"""What the API server says of itself: `/readyz`, asked as the cluster's admin."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass

from wherry.cluster.config import Setup
from wherry.cluster.identities import ADMIN, find_identities
from wherry.cluster.paths import ClusterPaths

TIMEOUT_S = 3.0
FAILED = "[-]"
"""What upstream begins the line of a failed check with (`k8s.io/apiserver/pkg/server/healthz`)."""


WARNING = "warn: "


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """`failing`: the checks that fail, or one sentence when there is no answer. `warnings` fail nothing."""

    failing: list[str]
    warnings: list[str]


def server_health(setup: Setup, paths: ClusterPaths, timeout_s: float = TIMEOUT_S) -> ServerHealth:
    """What the API server says of itself."""
    identities = find_identities(setup, paths)
    admin = identities.of(ADMIN)
    try:
        context = ssl.create_default_context(cafile=str(identities.authority.cert))
        context.load_cert_chain(admin.cert, admin.key)
        host = setup.cluster.server_url.removeprefix("https://")
        connection = http.client.HTTPSConnection(host, timeout=timeout_s, context=context)
        try:
            connection.request("GET", "/readyz?verbose")
            response = connection.getresponse()
            body = response.read().decode(errors="replace")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", "") or error
        return ServerHealth([f"the API server does not answer: {why}"], [])
    lines = body.splitlines()
    warnings = [line.removeprefix(WARNING) for line in lines if line.startswith(WARNING)]
    if response.status == http.client.OK:
        return ServerHealth([], warnings)
    names = [line.removeprefix(FAILED).partition(" ")[0] for line in lines if line.startswith(FAILED)]
    return ServerHealth(names or [f"/readyz answers {response.status}"], warnings)
