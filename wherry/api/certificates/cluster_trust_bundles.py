"""ClusterTrustBundle: the trust anchors of a signer."""

from __future__ import annotations

from wherry.api.resource import Resource

CLUSTER_TRUST_BUNDLES = Resource(
    group="certificates.k8s.io",
    version="v1",
    kind="ClusterTrustBundle",
    plural="clustertrustbundles",
    namespaced=False,
    schema="io.k8s.api.certificates.v1.ClusterTrustBundle",
)
