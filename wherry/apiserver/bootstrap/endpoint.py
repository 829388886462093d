"""The Service `default/kubernetes` and its endpoints: how pods reach the API server."""

from __future__ import annotations

import ipaddress

from wherry.objects.meta import Object

NAME, NAMESPACE, PORT_NAME, PORT = "kubernetes", "default", "https", 443
LABELS = {"component": "apiserver", "provider": "kubernetes"}


def service(cluster_ip: str, target_port: int) -> Object:
    """The Service, at the first address of the service range."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": dict(LABELS)},
        "spec": {
            "clusterIP": cluster_ip,
            "clusterIPs": [cluster_ip],
            "ports": [
                {"name": PORT_NAME, "port": PORT, "protocol": "TCP", "targetPort": target_port},
            ],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }


def endpoints(address: str, port: int) -> Object:
    """The Endpoints; the label keeps the endpoint slice mirroring away."""
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [
            {
                "addresses": [{"ip": address}],
                "ports": [{"name": PORT_NAME, "port": port, "protocol": "TCP"}],
            }
        ],
    }


def endpoint_slice(address: str, port: int) -> Object:
    """The EndpointSlice."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": NAME},
        },
        "addressType": f"IPv{ipaddress.ip_address(address).version}",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": PORT_NAME, "port": port, "protocol": "TCP"}],
    }
