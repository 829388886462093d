"""Signs the ConfigMap cluster-info in kube-public with every bootstrap token that may.

Who joins a cluster knows a token and nothing else: by its signature cluster-info tells that it is the right
one, and with it the certificate of the right API server. Source: pkg/controller/bootstrap/bootstrapsigner.go,
cluster-bootstrap/token/jws (a detached JWS, RFC 7515 appendix F).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar

from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.controllers.bootstrap.tokens import TokenController
from wherry.objects.bootstrap_tokens import SIGNING, read_token
from wherry.objects.meta import Object, key_of

log = logging.getLogger(__name__)

NAMESPACE, NAME = "kube-public", "cluster-info"
KEY = f"{NAMESPACE}/{NAME}"
CONTENT, SIGNATURE = "kubeconfig", "jws-kubeconfig-"


def detached_signature(content: str, token_id: str, token_secret: str) -> str:
    """The compact JWS (HS256) of the content, without the content."""
    header = _base64url(json.dumps({"alg": "HS256", "kid": token_id}, separators=(",", ":")).encode())
    signed = f"{header}.{_base64url(content.encode())}".encode()
    return f"{header}..{_base64url(hmac.digest(token_secret.encode(), signed, hashlib.sha256))}"


def plan_signatures(data: Mapping[str, str], secrets: Iterable[Object], now: datetime) -> dict[str, str]:
    """The ConfigMap's data with the signatures of these tokens and no others."""
    signed = {key: value for key, value in data.items() if not key.startswith(SIGNATURE)}
    for secret in secrets:
        try:
            token = read_token(secret, SIGNING, now)
        except ValueError as error:
            log.debug("%s signs nothing: %s", key_of(secret), error)
            continue
        signed[SIGNATURE + token.id] = detached_signature(data[CONTENT], token.id, token.secret)
    return signed


def _base64url(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


class BootstrapSigner(TokenController):
    """There is one key, the ConfigMap's."""

    name = "bootstrap-signer"
    account = "bootstrap-signer"
    primary = CONFIG_MAPS
    workers: ClassVar = 1

    def watch_sources(self) -> None:
        """The tokens and the one ConfigMap."""
        self.tokens.cache.add(CONFIG_MAPS, namespace=NAMESPACE, field_selector=f"metadata.name={NAME}")
        self.tokens.on(self._changed)
        self.tokens.cache.on(CONFIG_MAPS, self._changed)

    def _changed(self, _old: Object | None, _new: Object | None) -> None:
        self.queue.add(KEY)

    async def sync(self, key: str) -> float | None:
        """Write the signatures if they are others. An expired token's goes with its Secret."""
        found = self.tokens.cache.get(CONFIG_MAPS, key)
        data = (found or {}).get("data") or {}
        if found is None or CONTENT not in data:
            return None
        signed = plan_signatures(data, self.tokens, self.clock.now())
        if signed != data:
            await self.update(key, CONFIG_MAPS, {**found, "data": signed})
        return None
