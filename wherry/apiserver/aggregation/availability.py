"""Is an extension API server there? `check` finds out, in the reasons and words of upstream."""

from __future__ import annotations

import orjson

from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.apiserver.aggregation.remote import PASSED, Remote, Verdict
from wherry.apiserver.endpoints import ready_endpoints, service_backend
from wherry.apiserver.outbound import Target, Unreachable, read_answer
from wherry.apiserver.parts import Parts
from wherry.objects.errors import ApiError

TIMEOUT_S = 5.0
DISCOVERY_LIMIT_B = 8 * 1024 * 1024


async def check(core: Parts, remote: Remote) -> Verdict:
    """Look for service and endpoints, then ask for discovery; takes the resources over into `remote`."""
    problem = await _missing(core, remote)
    if problem is not None:
        return problem
    namespace, name, port = remote.service
    url = Target("https", f"{name}.{namespace}.svc", port).shown(remote.path)
    try:
        backend = await service_backend(core.registry, core.random, namespace, name, port)
        url = backend.target.shown(remote.path)
        async with core.outbound.request(
            "GET",
            backend.target,
            remote.path,
            trust=remote.trust(core.config, backend.server_name),
            headers=[("Accept", "application/json"), *MASTER_HEADERS],
            timeout_s=TIMEOUT_S,
        ) as response:
            data = await read_answer(response, DISCOVERY_LIMIT_B)
            if not 200 <= response.status < 300:
                why = f"bad status from {url}: {response.status}"
                return _failed(f"failing or missing response from {url}: {why}")
        remote.resources = list((orjson.loads(data) or {}).get("resources") or ())
    except (ApiError, Unreachable, ValueError, AttributeError) as error:
        return _failed(f"failing or missing response from {url}: {error}")
    return PASSED


MASTER_HEADERS = (("X-Remote-User", "system:kube-aggregator"), ("X-Remote-Group", "system:masters"))


def _failed(message: str) -> Verdict:
    return Verdict("False", "FailedDiscoveryCheck", message)


async def _missing(core: Parts, remote: Remote) -> Verdict | None:
    """What of service, port and endpoints is not there; None if all is."""
    namespace, name, port = remote.service
    services, slices = core.registry.of(SERVICES), core.registry.of(ENDPOINT_SLICES)
    await services.source.open()
    await slices.source.open()
    cached = services.get(namespace, name)
    if cached is None:
        return Verdict("False", "ServiceNotFound", f'service/{name} in "{namespace}" is not present')
    spec = cached.decode().get("spec") or {}
    if spec.get("type") == "ExternalName":
        return None
    declared = next((item for item in spec.get("ports") or () if item.get("port") == port), None)
    if declared is None:
        why = f'service/{name} in "{namespace}" is not listening on port {port}'
        return Verdict("False", "ServicePortError", why)
    found = slices.cacher.list(
        namespace, match=lambda item: item.labels.get("kubernetes.io/service-name") == name
    )[0]
    if not found:
        why = f'cannot find endpointslices for service/{name} in "{namespace}"'
        return Verdict("False", "EndpointsNotFound", why)
    port_name = declared.get("name") or ""
    if not any(ready_endpoints(item.decode(), port_name) for item in found):
        why = f'endpoints for service/{name} in "{namespace}" have no addresses with port name "{port_name}"'
        return Verdict("False", "MissingEndpoints", why)
    return None
