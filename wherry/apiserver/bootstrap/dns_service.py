"""The Service `kube-system/kube-dns`: where the cluster's DNS is known at.

Source: cluster/addons/dns (its names and labels, which other programs look for). It has no selector: each
node answers at the Service's address itself (`wherry.dns`).
"""

from __future__ import annotations

import logging

from wherry.api.core.services import SERVICES
from wherry.apiserver.ensuring import ensure
from wherry.apiserver.parts import Parts
from wherry.client.api import Client
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

log = logging.getLogger(__name__)

NAME, NAMESPACE = "kube-dns", "kube-system"


async def bring_about(core: Parts, client: Client, address: str) -> None:
    """Create the Service at `address` if it is not there; what people made of it is theirs."""
    try:
        await ensure(core, client, SERVICES, [dns_service(address)])
    except ApiError as error:
        log.warning("the service %s/%s could not be made: %s", NAMESPACE, NAME, error.message)


def dns_service(address: str) -> Object:
    """The Service at that address."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {
                "k8s-app": NAME,
                "kubernetes.io/cluster-service": "true",
                "kubernetes.io/name": "CoreDNS",
            },
        },
        "spec": {
            "clusterIP": address,
            "clusterIPs": [address],
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
                {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
            ],
            "type": "ClusterIP",
        },
    }
