"""When an old version was deprecated and removed upstream, and what it says about that."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Releases (`1.14`) of deprecation and removal; `replacement` is the apiVersion to use instead."""

    deprecated: str
    removed: str
    replacement: str

    def warning(self, api_version: str, kind: str) -> str:
        """The text of the `Warning:` header for the use of `kind` in `api_version`."""
        return (
            f"{api_version} {kind} is deprecated in v{self.deprecated}+, "
            f"unavailable in v{self.removed}+; use {self.replacement} {kind}"
        )


EXTENSIONS_WORKLOAD = Lifecycle("1.8", "1.16", "apps/v1")
EXTENSIONS_INGRESS = Lifecycle("1.14", "1.22", "networking.k8s.io/v1")
EXTENSIONS_NETWORK_POLICY = Lifecycle("1.9", "1.16", "networking.k8s.io/v1")
APPS_V1BETA1 = Lifecycle("1.8", "1.16", "apps/v1")
APPS_V1BETA2 = Lifecycle("1.9", "1.16", "apps/v1")
NETWORKING_V1BETA1 = Lifecycle("1.19", "1.22", "networking.k8s.io/v1")
BATCH_V1BETA1 = Lifecycle("1.21", "1.25", "batch/v1")
POLICY_V1BETA1 = Lifecycle("1.21", "1.25", "policy/v1")
RBAC_V1BETA1 = Lifecycle("1.17", "1.22", "rbac.authorization.k8s.io/v1")
