"""Trust anchors for projected volumes, out of ClusterTrustBundles (pkg/kubelet/clustertrustbundle; KEP-3257).

The bundles are followed from the first time a pod wants some. Anchors of several bundles are one list without
repetitions, whose order nobody may rely on: it is another one with every start of the agent.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from wherry.api.certificates.cluster_trust_bundles import CLUSTER_TRUST_BUNDLES
from wherry.api.certificates.pem import CERTIFICATE, blocks_of
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.kit.clock import Clock
from wherry.kubelet.volumes.base import MountFailure
from wherry.objects.errors import not_found
from wherry.objects.meta import Object, labels_of, name_of, uid_of
from wherry.objects.selectors import from_label_selector

_NONE_MATCHED = "combination of signerName and labelSelector matched zero ClusterTrustBundles"


class TrustBundles:
    """The bundles of the cluster. `on_change(pod_uid)` is called when what a pod has may have changed."""

    def __init__(
        self, client: Client, clock: Clock, random: Random, on_change: Callable[[str], None]
    ) -> None:
        self._cache = Cache(client, clock)
        self._salt = random.randbytes(16)
        self._on_change = on_change
        self._wanted: dict[str, list[Mapping[str, Any]]] = {}
        self._follows = False

    async def anchors(self, pod: Object, source: Mapping[str, Any]) -> str:
        """The PEM text a `clusterTrustBundle` source asks for. Raises MountFailure."""
        wanted = self._wanted.setdefault(uid_of(pod), [])
        if source not in wanted:
            wanted.append(source)
        if not self._follows:
            self._follows = True
            self._cache.on(CLUSTER_TRUST_BUNDLES, self._changed)
        await self._cache.start()
        return self._render(self._chosen(source))

    def forget(self, pod_uid: str) -> None:
        """The pod is gone."""
        self._wanted.pop(pod_uid, None)

    async def close(self) -> None:
        """Stop following."""
        await self._cache.close()

    def _chosen(self, source: Mapping[str, Any]) -> list[Object]:
        name, optional = source.get("name"), bool(source.get("optional"))
        if name is not None:
            found = self._cache.get(CLUSTER_TRUST_BUNDLES, name)
            if found is None and not optional:
                missing = not_found(CLUSTER_TRUST_BUNDLES.plural, CLUSTER_TRUST_BUNDLES.group, name)
                raise MountFailure(f"while getting ClusterTrustBundle: {missing.message}")
            return [found] if found is not None else []
        selector = from_label_selector(source.get("labelSelector"))
        chosen = [
            bundle
            for bundle in self._cache.list(CLUSTER_TRUST_BUNDLES)
            if _signer(bundle) == source.get("signerName") and selector.matches(labels_of(bundle))
        ]
        if not chosen and not optional:
            raise MountFailure(_NONE_MATCHED)
        return chosen

    def _render(self, bundles: list[Object]) -> str:
        anchors = {
            block.contents
            for bundle in bundles
            for block in blocks_of((bundle.get("spec") or {}).get("trustBundle") or "")
        }
        in_order = sorted(anchors, key=lambda anchor: hashlib.sha256(self._salt + anchor).digest())
        return "".join(to_pem(CERTIFICATE, anchor) for anchor in in_order)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        concerned = [bundle for bundle in (old, new) if bundle is not None]
        for uid, sources in list(self._wanted.items()):
            if any(_may_show(source, bundle) for source in sources for bundle in concerned):
                self._on_change(uid)


def to_pem(kind: str, contents: bytes) -> str:
    """A PEM block, as Go writes it."""
    text = base64.b64encode(contents).decode()
    lines = [text[begin : begin + 64] for begin in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""])


def _may_show(source: Mapping[str, Any], bundle: Object) -> bool:
    if source.get("name") is not None:
        return bool(source["name"] == name_of(bundle))
    return bool(source.get("signerName") == _signer(bundle))


def _signer(bundle: Object) -> str:
    signer: str = (bundle.get("spec") or {}).get("signerName") or ""
    return signer
