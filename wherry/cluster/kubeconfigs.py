"""The kubeconfigs of a cluster: the administrator's, and one for each part that is a client."""

from __future__ import annotations

from wherry.cluster import kubeconfig
from wherry.cluster.config import Setup
from wherry.cluster.identities import ADMIN, Identities, Identity, wanted_identities
from wherry.cluster.paths import ClusterPaths


def access_of(setup: Setup, identities: Identities, identity: Identity = ADMIN) -> kubeconfig.Access:
    """What the kubeconfig of an identity holds."""
    pair = identities.of(identity)
    return kubeconfig.Access(
        context=setup.cluster.context,
        server=setup.cluster.server_url,
        authority_pem=identities.authority.cert.read_bytes(),
        cert_pem=pair.cert.read_bytes(),
        key_pem=pair.key.read_bytes(),
    )


def write_kubeconfigs(setup: Setup, paths: ClusterPaths, identities: Identities) -> None:
    """Write them all, with the certificates there are now. Raises KubeconfigError."""
    kubeconfig.write(paths.admin_kubeconfig, kubeconfig.render(access_of(setup, identities)))
    paths.kubeconfigs.mkdir(exist_ok=True, mode=0o700)
    for identity in wanted_identities(setup):
        if identity.has_kubeconfig:
            content = kubeconfig.render(access_of(setup, identities, identity))
            kubeconfig.write(paths.kubeconfig(identity.name), content)
