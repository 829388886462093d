"""Secrets of bootstrap tokens, as tests need them."""

from __future__ import annotations

import base64

from wherry.objects.bootstrap_tokens import TYPE
from wherry.objects.meta import Object


def token_secret(token_id: str = "abcdef", name: str = "", **data: str) -> Object:
    """A Secret that may sign and authenticate, unless `data` (with `_` for `-`) says otherwise."""
    said = {
        "token_id": token_id,
        "token_secret": "0123456789abcdef",
        "usage_bootstrap_signing": "true",
        "usage_bootstrap_authentication": "true",
        **data,
    }
    encoded = {
        key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in said.items()
    }
    meta = {"name": name or f"bootstrap-token-{token_id}", "namespace": "kube-system"}
    return {"type": TYPE, "metadata": meta, "data": encoded}
