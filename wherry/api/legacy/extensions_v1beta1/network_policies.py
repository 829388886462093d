"""NetworkPolicy in extensions/v1beta1: only the name was another."""

from __future__ import annotations

from wherry.api.legacy.lifecycles import EXTENSIONS_NETWORK_POLICY
from wherry.api.networking.network_policies import NETWORK_POLICIES as MODERN
from wherry.api.versions import earlier

NETWORK_POLICIES = earlier(
    MODERN, "extensions/v1beta1", EXTENSIONS_NETWORK_POLICY, schema="extensions.v1beta1"
)
