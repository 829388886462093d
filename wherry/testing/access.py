"""How programs outside reach a test cluster: its kubeconfig."""

from __future__ import annotations

import yaml

from wherry.cluster.identities import ADMIN
from wherry.cluster.kubeconfig import Access, render
from wherry.testing import keys


def kubeconfig_text(url: str) -> str:
    """A kubeconfig of the administrator of the cluster that listens at `url`."""
    made = keys.make()
    access = Access(
        context="wherry-test",
        server=url,
        authority_pem=made.authority.cert.read_bytes(),
        cert_pem=made.of(ADMIN).cert.read_bytes(),
        key_pem=made.of(ADMIN).key.read_bytes(),
    )
    text: str = yaml.safe_dump(render(access), sort_keys=False)
    return text
