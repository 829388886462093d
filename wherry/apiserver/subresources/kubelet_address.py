"""Where a node's kubelet is, and how the API server talks to it."""

from __future__ import annotations

from wherry.api.core.simulated import is_simulated
from wherry.apiserver.config import ApiServerConfig
from wherry.apiserver.outbound import Target, Trust
from wherry.objects.errors import bad_request, service_unavailable
from wherry.objects.meta import Object, name_of

DEFAULT_KUBELET_PORT = 10250
PREFERRED_ADDRESS_TYPES = ("InternalIP", "ExternalIP", "Hostname", "InternalDNS", "ExternalDNS")


def check_is_real(node: Object) -> None:
    """Raise ApiError (400) for a simulated node: its pods' addresses are nobody's, or somebody else's."""
    if is_simulated(node):
        raise bad_request(
            f'node "{name_of(node)}" is simulated: nothing runs there, so its pods have no logs or metrics, '
            "and neither exec, attach, port-forward nor proxy"
        )


def kubelet_address(node: Object) -> Target:
    """Where the node says its kubelet is.

    Raises ApiError: 400 for a simulated node, which has none; 503 when the node does not say.
    """
    check_is_real(node)
    status = node.get("status") or {}
    addresses = {item.get("type"): item.get("address") for item in status.get("addresses") or ()}
    host = next((addresses[kind] for kind in PREFERRED_ADDRESS_TYPES if addresses.get(kind)), None)
    if not host:
        raise service_unavailable(
            f"no preferred addresses found; known addresses: {status.get('addresses') or []}"
        )
    endpoint = (status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
    return Target("https", str(host), int(endpoint.get("Port") or DEFAULT_KUBELET_PORT))


def kubelet_trust(config: ApiServerConfig) -> Trust:
    """As the kubelets' client; nodes are known by address, so the CA alone vouches for them."""
    return Trust(
        ca_file=config.kubelet_ca_file or config.client_ca_file,
        cert_file=config.kubelet_client_cert_file,
        key_file=config.kubelet_client_key_file,
    )
