"""When each old group version was deprecated and removed upstream, and what took its place."""

from __future__ import annotations

from wherry.api.lifecycle import Lifecycle

EXTENSIONS_WORKLOAD = Lifecycle("1.8", "1.16", "apps/v1")
EXTENSIONS_INGRESS = Lifecycle("1.14", "1.22", "networking.k8s.io/v1")
EXTENSIONS_NETWORK_POLICY = Lifecycle("1.9", "1.16", "networking.k8s.io/v1")
APPS_V1BETA1 = Lifecycle("1.8", "1.16", "apps/v1")
APPS_V1BETA2 = Lifecycle("1.9", "1.16", "apps/v1")
NETWORKING_V1BETA1 = Lifecycle("1.19", "1.22", "networking.k8s.io/v1")
BATCH_V1BETA1 = Lifecycle("1.21", "1.25", "batch/v1")
POLICY_V1BETA1 = Lifecycle("1.21", "1.25", "policy/v1")
RBAC_V1BETA1 = Lifecycle("1.17", "1.22", "rbac.authorization.k8s.io/v1")
